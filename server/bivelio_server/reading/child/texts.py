"""Words into lines of text."""

from collections.abc import Iterable, Sequence

from bivelio_server.reading.port import Attachment, Box, Page, Reading, Word


def text_of(lines: Iterable[Sequence[Word]]) -> str:
    return "\n".join(" ".join(word.text for word in line) for line in lines)


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    return Box(
        min(box.x0 for box in boxes), min(box.y0 for box in boxes),
        max(box.x1 for box in boxes), max(box.y1 for box in boxes),
    )  # fmt: skip


def without_pages(mime_type: str, text: str, engine: str, attachments: Sequence[Attachment] = ()) -> Reading:
    """What a file says that has no pages: one, whose words have no places."""
    page = Page(number=1, width=0.0, height=0.0, source="text", words=())
    return Reading(mime_type, 1, [page], text.strip(), attachments, engine)
