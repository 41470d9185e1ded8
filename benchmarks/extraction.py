"""Accuracy of extraction on made-up documents, born digital and degraded, and on real ones where a folder is given.

    python benchmarks/extraction.py [--documents 10] [--scanned 2] [--engine small] [--samples FOLDER] [--detail] [--tell]

Some of the layouts are held out: rules are never tuned on them. `--tell` prints what is surely wrong in the others. All
files are read by the server's own reader, two at a time.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from corpus.comparing import Score, lines, share
from corpus.degrading import KINDS, degraded, picture
from corpus.layouts import HELD_OUT, TUNED

from bivelio_server.documents.fields import classify, extract
from bivelio_server.reading.process import ChildReader

BORN = "pdf"
AT_ONCE = 2
#: Of the table at the end: columns beside each other, and characters in each.
COLUMNS = 1 + len(KINDS)
WIDTH = 22


@dataclass(frozen=True)
class Sample:
    """A file, what it is and what it says."""

    name: str
    document_type: str
    truth: dict[str, Any]
    content: bytes


@dataclass
class Result:
    """Of one column of the table. `cpu` is that of the children that read and of what was made of it, in seconds."""

    title: str
    scores: dict[str, Score] = field(default_factory=dict)
    classified: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("right", "unsure", "wrong"), 0))
    cpu: float = 0.0
    seconds: float = 0.0

    @property
    def documents(self) -> int:
        return sum(score.documents for score in self.scores.values())


def main() -> None:
    arguments = _arguments()
    results = []
    for title, layouts in (("tuned", TUNED), ("held out", HELD_OUT)):
        for kind in (BORN, *KINDS) if arguments.scanned else (BORN,):
            samples = list(_made_up(layouts, kind, arguments.documents if kind == BORN else arguments.scanned))
            results.append(_measured(f"{title}, {kind}", samples, arguments.engine))
            _report(results[-1], detail=arguments.detail, tell=arguments.tell and layouts is TUNED)
    if arguments.samples:
        results.append(_measured("real", list(_real(arguments.samples)), arguments.engine))
        _report(results[-1], detail=arguments.detail, tell=arguments.tell)
    for start in range(0, len(results), COLUMNS):
        _table(results[start : start + COLUMNS])


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10, help="of each layout, born digital")
    parser.add_argument("--scanned", type=int, default=2, help="of each layout, as scan, as photo and as photo on a desk")
    parser.add_argument("--engine", default="small", choices=("light", "small"))
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--detail", action="store_true", help="field by field")
    parser.add_argument("--tell", action="store_true")
    return parser.parse_args()


def _made_up(layouts: dict[str, Any], kind: str, count: int) -> Iterator[Sample]:
    """Scans and photos are of documents with one page only: a picture is no more."""
    for document_type, makers in layouts.items():
        for name, make in makers.items():
            for seed in range(count):
                random = Random(f"{name}-{seed}")
                pdf, truth = make(random)
                page = None if kind == BORN else picture(pdf)
                if kind == BORN:
                    yield Sample(f"{name}-{seed}", document_type, truth, pdf)
                elif page is not None:
                    yield Sample(f"{name}-{seed}", document_type, truth, degraded(page, kind, random))


def _real(folder: Path) -> Iterator[Sample]:
    """Invoices with the values that invoice2data expects, receipts with those of SROIE."""
    for pdf in sorted((folder / "invoices-real").glob("*.pdf")):
        expected = json.loads(pdf.with_suffix(".json").read_text())[0]
        truth = {"invoice_number": expected["invoice_number"], "date": expected["date"], "currency": expected["currency"],
                 "total": Decimal(str(expected["amount"]))}  # fmt: skip
        yield Sample(pdf.name, "invoice", truth, pdf.read_bytes())
    for image in sorted((folder / "receipts-real").glob("*.jpg")):
        expected = json.loads(image.with_suffix(".key.json").read_text())
        day, month, year = expected["date"].replace("-", "/").split("/")
        truth = {"date": f"{year if len(year) == 4 else '20' + year}-{month}-{day}", "total": Decimal(expected["total"]),
                 "issuer": {"name": expected["company"]}}  # fmt: skip
        yield Sample(image.name, "receipt", truth, image.read_bytes())


def _measured(title: str, samples: Sequence[Sample], engine: Any) -> Result:
    result = Result(title)
    began, before = time.perf_counter(), _cpu()
    asyncio.run(_read_all(result, samples, ChildReader(engine, at_once=AT_ONCE)))
    result.seconds, result.cpu = time.perf_counter() - began, _cpu() - before
    return result


async def _read_all(result: Result, samples: Sequence[Sample], reader: ChildReader) -> None:
    async def read(sample: Sample) -> None:
        reading = await reader.read(sample.content)
        score = result.scores.setdefault(sample.document_type, Score())
        score.add(sample.truth, extract(reading, sample.document_type), sample.name)
        label = classify(reading).label
        result.classified["unsure" if label is None else "right" if label == sample.document_type else "wrong"] += 1

    await asyncio.gather(*(read(sample) for sample in samples))


def _cpu() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _report(result: Result, *, detail: bool, tell: bool) -> None:
    each = result.cpu / max(result.documents, 1)
    print(
        f"{result.title}: {result.documents} documents in {result.seconds:.0f} s, {each:.2f} s of processor each",
        flush=True,
    )
    for document_type, score in result.scores.items() if detail else ():
        print(f"  {document_type}, {score.documents} documents")
        print("\n".join(lines(score)))
    for told in (told for score in result.scores.values() for told in score.surely_wrong) if tell else ():
        print(f"    {told}")


def _table(results: Sequence[Result]) -> None:
    print("\n" + " " * 36 + "".join(f"{result.title:>{WIDTH}}" for result in results))
    for name, cells in _rows(results):
        print(f"{name:36}" + "".join(f"{cell:>{WIDTH}}" for cell in cells))


def _rows(results: Sequence[Result]) -> Iterator[tuple[str, list[str]]]:
    yield "documents", [str(result.documents) for result in results]
    yield "invoices: number, date, total, ids", [_of(result, "invoice", *_KEYS) for result in results]
    yield "invoices: name of the issuer", [_of(result, "invoice", "issuer.name") for result in results]
    yield "invoices: name of the recipient", [_of(result, "invoice", "recipient.name") for result in results]
    yield "invoices: whole items", [_items(result, "invoice") for result in results]
    for document_type, title in _OTHERS.items():
        yield f"{title}: fields", [_of(result, document_type) for result in results]
    yield "statements: whole movements", [_items(result, "bank_statement") for result in results]
    yield "contracts, deeds: whole parties", [_items(result, "contract", "deed") for result in results]
    yield "wrong at 0.9 or more", [_surely_wrong(result) for result in results]
    yield "total right where that sure", [_totals(result) for result in results]
    yield "kind told right, not told, wrong", [" / ".join(map(str, result.classified.values())) for result in results]
    yield "processor a document, seconds", [f"{result.cpu / max(result.documents, 1):.2f}" for result in results]


_KEYS = ("invoice_number", "date", "total", "issuer.nif", "recipient.nif")
_OTHERS = {"receipt": "receipts", "payslip": "payslips", "bank_statement": "bank statements", "contract": "contracts",
           "deed": "deeds", "id_document": "identity documents"}  # fmt: skip


def _of(result: Result, document_type: str, *names: str) -> str:
    return _share(*share(result.scores[document_type], *names)) if document_type in result.scores else ""


def _items(result: Result, *document_types: str) -> str:
    scores = [result.scores[each] for each in document_types if each in result.scores]
    return _share(sum(score.items_right for score in scores), sum(score.items for score in scores))


def _surely_wrong(result: Result) -> str:
    wrong = sum(len(score.surely_wrong) for score in result.scores.values())
    sure = sum(score.sure for score in result.scores.values())
    return f"{wrong} of {sure} = {100 * wrong / max(sure, 1):.2f} %"


def _totals(result: Result) -> str:
    right = sum(score.totals_held_right for score in result.scores.values())
    return f"{right} of {sum(score.totals_held for score in result.scores.values())}"


def _share(right: int, whole: int) -> str:
    return f"{right}/{whole} = {100 * right / whole:.1f} %" if whole else ""


if __name__ == "__main__":
    main()
