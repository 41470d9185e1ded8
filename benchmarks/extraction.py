"""Accuracy of extraction on made-up documents, born digital and degraded, and on real ones where a folder is given.

    python benchmarks/extraction.py [--documents 10] [--scanned 2] [--engine small] [--samples FOLDER] [--tell]

Half of the layouts are held out: rules are never tuned on them. `--tell` prints what is surely wrong in the other half.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from corpus.comparing import Score, lines
from corpus.degrading import KINDS, degraded, picture
from corpus.layouts import HELD_OUT, TUNED

from bivelio_server.documents.fields import classify, extract
from bivelio_server.reading.port import Reading
from bivelio_server.reading.process import ChildReader


def main() -> None:
    arguments = _arguments()
    reader = ChildReader(arguments.engine)
    for title, layouts in (("layouts that rules are tuned on", TUNED), ("held-out layouts", HELD_OUT)):
        tell = arguments.tell and layouts is TUNED
        born = _run(layouts, arguments.documents, lambda pdf, _: _read(reader, pdf))
        _print(f"{title}, born digital", born, tell=tell)
        for kind in KINDS if arguments.scanned else ():
            _print(f"{title}, {kind}", _run(layouts, arguments.scanned, _scanned(reader, kind)), tell=tell)
    if arguments.samples:
        _print("real samples", _samples(arguments.samples, reader), tell=arguments.tell)


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=10, help="of each layout, born digital")
    parser.add_argument("--scanned", type=int, default=2, help="of each layout, as scan and as photo")
    parser.add_argument("--engine", default="small", choices=("tiny", "small"))
    parser.add_argument("--samples", type=Path)
    parser.add_argument("--tell", action="store_true")
    return parser.parse_args()


def _read(reader: ChildReader, content: bytes) -> Reading:
    return asyncio.run(reader.read(content))


def _scanned(reader: ChildReader, kind: str) -> Callable[[bytes, Random], Reading | None]:
    """Of documents with one page only: a picture is no more."""

    def read(pdf: bytes, random: Random) -> Reading | None:
        pages = picture(pdf)
        return _read(reader, degraded(pages, kind, random)) if pages is not None else None

    return read


def _run(
    layouts: dict[str, Any], count: int, read: Callable[[bytes, Random], Reading | None]
) -> tuple[dict[str, Score], dict[str, int], float]:
    scores: dict[str, Score] = {}
    classified = {"right": 0, "unsure": 0, "wrong": 0}
    spent = 0.0
    for document_type, makers in layouts.items():
        scores[document_type] = Score()
        for name, make in makers.items():
            for seed in range(count):
                random = Random(f"{name}-{seed}")
                pdf, truth = make(random)
                reading = read(pdf, random)
                if reading is None:
                    continue
                begun = time.process_time()
                scores[document_type].add(truth, extract(reading, document_type), f"{name}-{seed}")
                spent += time.process_time() - begun
                label = classify(reading).label
                classified["unsure" if label is None else "right" if label == document_type else "wrong"] += 1
    return scores, classified, spent / max(sum(score.documents for score in scores.values()), 1)


def _print(title: str, result: tuple[dict[str, Score], dict[str, int], float], *, tell: bool) -> None:
    scores, classified, each = result
    print(f"\n{title}: {1000 * each:.0f} ms of processor a document")
    for document_type, score in scores.items():
        print(f"  {document_type}, {score.documents} documents")
        print("\n".join(lines(score)))
    sure = sum(score.sure for score in scores.values())
    wrong = [told for score in scores.values() for told in score.surely_wrong]
    held = sum(score.totals_held for score in scores.values())
    right = sum(score.totals_held_right for score in scores.values())
    print(f"  wrong at a confidence of 0.9 or more: {len(wrong)} of {sure} ({100 * len(wrong) / max(sure, 1):.2f} %)")
    print(f"  total right where it is that sure: {right} of {held}")
    if sum(classified.values()):
        print(f"  classified: {classified}", flush=True)
    for told in wrong if tell else ():
        print(f"    {told}")


def _samples(folder: Path, reader: ChildReader) -> tuple[dict[str, Score], dict[str, int], float]:
    """Invoices with the values that invoice2data expects, receipts with those of SROIE."""
    scores = {"invoice": Score(), "receipt": Score()}
    begun = time.process_time()
    for pdf in sorted((folder / "invoices-real").glob("*.pdf")):
        expected = json.loads(pdf.with_suffix(".json").read_text())[0]
        truth = {"invoice_number": expected["invoice_number"], "date": expected["date"], "currency": expected["currency"],
                 "total": Decimal(str(expected["amount"]))}  # fmt: skip
        scores["invoice"].add(truth, extract(_read(reader, pdf.read_bytes()), "invoice"), pdf.name)
    for image in sorted((folder / "receipts-real").glob("*.jpg")):
        expected = json.loads(image.with_suffix(".key.json").read_text())
        day, month, year = expected["date"].replace("-", "/").split("/")
        truth = {"date": f"{year if len(year) == 4 else '20' + year}-{month}-{day}", "total": Decimal(expected["total"]),
                 "issuer": {"name": expected["company"]}}  # fmt: skip
        scores["receipt"].add(truth, extract(_read(reader, image.read_bytes()), "receipt"), image.name)
    count = sum(score.documents for score in scores.values())
    return scores, {}, (time.process_time() - begun) / max(count, 1)


if __name__ == "__main__":
    main()
