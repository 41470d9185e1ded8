"""A value that was found, and how much speaks for it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from bivelio_server.documents.fields.layout import Span
from bivelio_server.documents.fields.results import Field, Plain
from bivelio_server.reading.port import Box

#: What each check that passed takes away of the doubt that the others leave.
LABEL_BESIDE: Final = 0.75
LABEL_BELOW: Final = 0.65
LABEL_WEAK: Final = 0.4
SHAPE: Final = 0.4
UNRIVALLED: Final = 0.6
REPEATED: Final = 0.6
CHECK_DIGIT: Final = 0.9
ARITHMETIC: Final = 0.98

#: A character that a scan shows badly is read with full confidence as another one. Without a check that would notice,
#: what was read by OCR stays below the line from which nobody looks again.
UNVERIFIED_OCR: Final = 0.89
SURE: Final = 0.9


@dataclass(frozen=True, slots=True)
class Found:
    """A value with its place. `value` is a plain JSON value."""

    value: Plain
    confidence: float
    page: int | None = None
    box: Box | None = None


#: What was found of a document, in the shape of its type's schema.
Tree: TypeAlias = Mapping[str, "Found | Tree | Sequence[Tree] | None"]


def found(value: Plain, span: Span, *checks: float, verified: bool = False) -> Found:
    """`verified` says that one of the checks would have noticed a misread character."""
    confidence = together(*checks) * (1.0 if verified else span.confidence)
    if span.by_ocr and not verified:
        confidence = min(confidence, UNVERIFIED_OCR)
    return Found(value, round(confidence, 3), span.page if span.placed else None, span.box if span.placed else None)


def together(*checks: float) -> float:
    """Independent checks: the doubt that is left is the product of what each of them leaves."""
    doubt = 1.0
    for check in checks:
        doubt *= 1.0 - check
    return 1.0 - doubt


def doubted(item: Found | None, most: float) -> Found | None:
    return None if item is None else replace(item, confidence=min(item.confidence, most))


def plain(node: "Found | Tree | Sequence[Tree] | None") -> Plain:
    """The tree's values alone. A group of which nothing is known is None."""
    if node is None:
        return None
    if isinstance(node, Found):
        return node.value
    if isinstance(node, Mapping):
        values = {name: plain(child) for name, child in node.items()}
        return values if any(value is not None for value in values.values()) else None
    return [plain(child) for child in _known(node)]


def fields(node: "Found | Tree | Sequence[Tree] | None", path: str = "") -> Iterator[Field]:
    if isinstance(node, Found):
        if node.value is not None:
            yield Field(path, node.value, node.confidence, node.page, node.box)
    elif isinstance(node, Mapping):
        for name, child in node.items():
            yield from fields(child, f"{path}.{name}" if path else name)
    elif node is not None:
        for index, child in enumerate(_known(node)):
            yield from fields(child, f"{path}[{index}]")


def _known(groups: Sequence[Tree]) -> Iterator[Tree]:
    """An item of which nothing is known is none."""
    return (group for group in groups if plain(group) is not None)
