"""Words into lines of text."""

from collections.abc import Iterable, Sequence

from bivelio_server.reading.port import Box, Word


def text_of(lines: Iterable[Sequence[Word]]) -> str:
    return "\n".join(" ".join(word.text for word in line) for line in lines)


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    return Box(
        min(box.x0 for box in boxes), min(box.y0 for box in boxes),
        max(box.x1 for box in boxes), max(box.y1 for box in boxes),
    )  # fmt: skip
