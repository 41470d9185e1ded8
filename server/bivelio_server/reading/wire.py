"""What the server and the child that reads for it say to each other over two pipes.

A message is the length of its head (8 bytes), the head as JSON, and then the bytes that the head counts: the file on
the way there, its attachments on the way back. Before the latter come heads that tell how far the reading is. Nothing
that comes back is executed, and all of it is checked.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from bivelio_server.reading.port import Attachment, Box, Flattening, Limits, Page, Reading, Unreadable, Word
from bivelio_server.reading.refusals import REFUSALS, refusal

Head: TypeAlias = dict[str, Any]

LENGTH: Final = 8
#: The largest head of a reply: some 300 000 words.
MAX_HEAD: Final = 16 * 1024 * 1024
#: One that tells how far the reading is has a few numbers.
_MAX_PROGRESS: Final = 200


class Garbled(Exception):
    """What came back is no reply of ours."""


class Progress(NamedTuple):
    """How many pages are read, of how many; of how many the characters were recognised."""

    read: int
    pages: int
    recognised: int


def framed(head: Head) -> bytes:
    encoded = orjson.dumps(head)
    return len(encoded).to_bytes(LENGTH, "big") + encoded


def request_head(size: int, filename: str | None, limits: Limits, ocr: str) -> Head:
    return {"size": size, "filename": filename, "limits": asdict(limits), "ocr": ocr}


def reading_head(reading: Reading) -> Head:
    """A reading without the content of its attachments, which follows in their order."""
    return {
        "mime_type": reading.mime_type,
        "page_count": reading.page_count,
        "text": reading.text,
        "engine": reading.engine,
        "pages": [_page_fields(page) for page in reading.pages],
        "attachments": [[each.name, len(each.content)] for each in reading.attachments],
    }


def _page_fields(page: Page) -> list[Any]:
    words = [[word.text, *(round(side, 2) for side in word.box), round(word.confidence, 4)] for word in page.words]
    flattening = None if page.flattening is None else list(page.flattening)
    return [page.number, page.width, page.height, page.source, page.rotation, flattening, words]


def refusal_head(constraint: str, values: dict[str, Any], cause: str | None = None) -> Head:
    """`cause` is for the operator's log."""
    return {"refused": constraint, "values": values, "cause": cause}


def progress_head(progress: Progress) -> Head:
    return {"progress": list(progress)}


def progress_of(encoded: bytes) -> Progress | None:
    """What a head tells of the reading; None if it is that of the reply. Raises Garbled."""
    if len(encoded) > _MAX_PROGRESS:
        return None
    try:
        head = orjson.loads(encoded)
        if "progress" not in head:
            return None
        read, pages, recognised = map(int, head["progress"])
    except (ValueError, TypeError):
        raise Garbled("no progress") from None
    if not 0 <= recognised <= read <= pages:
        raise Garbled("no progress")
    return Progress(read, pages, recognised)


def split(reply: bytes) -> tuple[Head, memoryview]:
    """The head of a whole reply, and the bytes that follow it. Raises Garbled."""
    length = int.from_bytes(reply[:LENGTH], "big")
    try:
        head = orjson.loads(reply[LENGTH : LENGTH + length])
    except ValueError:
        raise Garbled("no JSON") from None
    if not isinstance(head, dict):
        raise Garbled("no object")
    return head, memoryview(reply)[LENGTH + length :]


def reading_of(head: Head, content: memoryview) -> Reading:
    """Raises Unreadable if it is a refusal, Garbled if it is neither."""
    try:
        if "refused" in head:
            raise _refusal_of(head)
        return Reading(
            mime_type=str(head["mime_type"]),
            page_count=int(head["page_count"]),
            pages=[_page_of(fields) for fields in head["pages"]],
            text=str(head["text"]),
            attachments=_attachments_of(head["attachments"], content),
            engine=str(head["engine"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Garbled(type(error).__name__) from None


def _refusal_of(head: Head) -> Unreadable:
    constraint = head["refused"] if head["refused"] in REFUSALS else "damaged"
    return refusal(constraint, **head["values"])


def _page_of(fields: Sequence[Any]) -> Page:
    number, width, height, source, rotation, flattening, words = fields
    if source not in ("text", "ocr"):
        raise ValueError(source)
    if flattening is not None and len(flattening) != len(Flattening._fields):
        raise ValueError(len(flattening))
    return Page(
        number=int(number),
        width=float(width),
        height=float(height),
        source=source,
        words=[_word_of(word) for word in words],
        rotation=int(rotation),
        flattening=None if flattening is None else Flattening(*(float(each) for each in flattening)),
    )


def _word_of(fields: Sequence[Any]) -> Word:
    text, x0, y0, x1, y1, confidence = fields
    return Word(str(text), Box(float(x0), float(y0), float(x1), float(y1)), float(confidence))


def _attachments_of(listed: Sequence[Any], content: memoryview) -> list[Attachment]:
    attachments, start = [], 0
    for name, size in listed:
        attachments.append(Attachment(str(name), bytes(content[start : start + int(size)])))
        start += int(size)
    if start != len(content):
        raise ValueError("the attachments are not whole")
    return attachments
