"""How well a box is searched: by words, by meaning and by both, on questions that are ours; the half that nothing was
tuned on counts."""

import asyncio
import hashlib
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.dense import Direction
from bivelio_server.boxes.retrieval.fusion import fused
from bivelio_server.boxes.retrieval.index import Row, part_of
from bivelio_server.boxes.retrieval.ranking import Part, Ranking
from bivelio_server.boxes.retrieval.segments import Floats, stored

QUESTIONS = Path(__file__).parent / "questions"
TEXTS = Path(__file__).parent / "texts"
#: As a line of the files begins, and what it is.
KINDS = {"es=": "es, its words", "es~": "es, other words", "en ": "en", "pt ": "pt", "ca ": "ca"}
WAYS = ("words", "meaning", "both")
FIRST = 10


@dataclass(frozen=True)
class Passage:
    """`text` is what is indexed: its document's title before it."""

    text: str


@dataclass(frozen=True)
class Question:
    kind: str
    text: str
    answer: int

    @property
    def is_for_tuning(self) -> bool:
        return hashlib.sha256(self.text.encode()).digest()[0] % 2 == 0


@dataclass(frozen=True)
class Box:
    """`vectors` (passages, width) as they are stored; `part` is their index in memory."""

    vectors: Floats
    part: Part


async def measure() -> None:
    passages, questions = read()
    with tempfile.TemporaryDirectory(prefix="bivelio-models-") as folder:
        ai = EmbeddedAI(Path(folder))
        began = time.process_time()
        box = await _box(ai, passages)
        print(f"\nquality of search: {len(questions)} questions, {len(passages)} passages, most of them in Spanish")
        print(f"  (embedded with {time.process_time() - began:.0f} s of CPU)")
        ranks = {way: [await _rank(ai, box, question, way) for question in questions] for way in WAYS}
    for tuning in (True, False):
        half = [question.is_for_tuning is tuning for question in questions]
        print(f"  {'tuning' if tuning else 'test'} half             recall@1  recall@5  nDCG@10   MRR@10")
        for kind in (*KINDS.values(), None):
            chosen = [
                at for at, question in enumerate(questions) if half[at] and (kind is None or question.kind == kind)
            ]
            for way in WAYS:
                found = [ranks[way][at] for at in chosen]
                name = f"{kind or 'all'} ({len(chosen)})"
                print(f"    {name:22} {way:8}" + "".join(f"  {each:8.3f}" for each in _measures(found)))


def read() -> tuple[list[Passage], list[Question]]:
    """Passages with an answer first; then others, among which they are to be found."""
    passages: list[Passage] = []
    questions: list[Question] = []
    for file in sorted(QUESTIONS.glob("*.txt")):
        title = ""
        for line in filter(None, file.read_text().splitlines()):
            mark, rest = line[:2], line[2:]
            if mark == "# ":
                title = rest
            elif mark == "¶ ":
                passages.append(Passage(f"{title}: {rest}"))
            else:
                questions.append(Question(KINDS[line[:3]], line[3:].strip(), len(passages) - 1))
    return passages + list(_others()), questions


def _others() -> Iterator[Passage]:
    for line in (TEXTS / "documents.tsv").read_text().splitlines():
        yield Passage(line.split("\t")[2])


async def _box(ai: EmbeddedAI, passages: Sequence[Passage]) -> Box:
    texts = [passage.text for passage in passages]
    vectors = np.array((await ai.embed(texts, "passage")).vectors, np.float32)
    row = Row(1, "file_1", 1, stored(vectors, [terms_of(text) for text in texts]))
    return Box(vectors.astype(np.float16).astype(np.float32), part_of([row]))


async def _rank(ai: EmbeddedAI, box: Box, question: Question, way: str) -> int:
    """Where the answer stands, from 0; of passages with one score, the later ones count before it."""
    terms: Mapping[int, int] = {} if way == "meaning" else terms_of(question.text)
    vector = None if way == "words" else np.array((await ai.embed([question.text], "query")).vectors[0], np.float32)
    ranking = Ranking(terms, None if vector is None else Direction(vector))
    ranking.add(box.part)
    ranked = ranking.finished()
    candidates = ranked.candidates(len(box.vectors))
    lexical = np.array([candidate.lexical for candidate in candidates], np.float32)
    numbers = [candidate.n for candidate in candidates]
    scores = lexical if vector is None else fused(box.vectors[numbers] @ vector, lexical, ranked.spread)
    if question.answer not in numbers:
        return len(box.vectors)
    return int(np.count_nonzero(scores >= scores[numbers.index(question.answer)])) - 1


def _measures(ranks: Sequence[int]) -> tuple[float, float, float, float]:
    """recall@1, recall@5, nDCG@10, MRR@10: each question has one answer."""
    count = len(ranks)
    return (
        sum(rank < 1 for rank in ranks) / count,
        sum(rank < 5 for rank in ranks) / count,
        sum(1 / math.log2(rank + 2) for rank in ranks if rank < FIRST) / count,
        sum(1 / (rank + 1) for rank in ranks if rank < FIRST) / count,
    )


if __name__ == "__main__":
    asyncio.run(measure())
