"""Who bills and who is billed: the tax ids with their check digits, and the names that stand by them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import (
    CHECK_DIGIT,
    LABEL_WEAK,
    REPEATED,
    SHAPE,
    Found,
    Tree,
    doubted,
    found,
)  # fmt: skip
from bivelio_server.documents.fields.labels import below, overlap
from bivelio_server.documents.fields.layout import Segment, Sheet, Span, fold
from bivelio_server.documents.fields.names import agrees, legal_form, name_in
from bivelio_server.documents.fields.tax_ids import TaxId

_RECIPIENT: Final = re.compile(
    r"^(?:datos (?:del? )?(?:el )?(?:cliente|facturacion|receptor|destinatario|comprador)|cliente"
    r"|facturar? a|facturado a"
    r"|destinatari[oa]?|receptor|comprador|adquirente|bill(?:ed)? to|sold to|invoice to|customer|client"
    r"|buyer|cobrar a|adquirente"
    r"|dades (?:del )?client|facturat a|dados do cliente|faturar a|exmos?\.? sr|sres?\b\.?:"
    r"|a la atencion de)(?![a-z])"
)
_ISSUER: Final = re.compile(
    r"^(?:datos (?:del? )?(?:el )?(?:emisor|proveedor|vendedor|expedidor|empresa)|emisor|proveedor"
    r"|expedidor|vendedor|prestador"
    r"|de:|from:?$|seller|supplier|issuer|vendor|dados do (?:emitente|fornecedor)|emitente|fornecedor"
    r"|proveidor|emissor)(?![a-z])"
)
_ID_LABEL: Final = re.compile(
    r"(?:[nc]\.?\s?i\.?\s?f\.?|d\.?n\.?i\.?|vat|tax id|contribuinte)(?:\s?/\s?[cnd]\.?i\.?f\.?)?\W*$"
)
_NOT_A_PARTY: Final = re.compile(r"client(?:e)? no|n\.?o? client|cliente no|cliente:\s*\d")
#: Lines of one block are no farther apart than this, in heights of a line.
_LEADING: Final = 1.6
_BLOCK_LINES: Final = 7


@dataclass(frozen=True, slots=True)
class _Placed:
    """A tax id and how far it is from the nearest label of a recipient and of an issuer, in points."""

    tax_id: TaxId
    to_recipient: float
    to_issuer: float


def parties(document: Document) -> tuple[Tree, Tree]:
    """The issuer and the recipient, each a group of `name` and `nif`."""
    recipient_labels = [one for one in document.sheet.segments if _labels(_RECIPIENT, one)]
    issuer_labels = [one for one in document.sheet.segments if _labels(_ISSUER, one)]
    placed = [
        _Placed(one, _nearest(one.segment, recipient_labels), _nearest(one.segment, issuer_labels))
        for one in _usable(document.tax_ids)
    ]
    recipient, sure = _recipient_id(document.sheet, placed, bool(recipient_labels))
    issuer, sure_issuer = _issuer_id(placed, recipient)
    if not recipient_labels and not issuer_labels and recipient is not None:
        sure = sure_issuer = False
    return (
        _party(document, issuer, issuer_labels, recipient_labels, sure=sure_issuer),
        _party(document, recipient, recipient_labels, issuer_labels, sure=sure),
    )


def _labels(pattern: re.Pattern[str], segment: Segment) -> bool:
    match = pattern.search(segment.plain)
    if match is None or _NOT_A_PARTY.search(segment.plain) is not None:
        return False
    # "Proveedor: Uno S.L." is a label with its value, "Proveedor Uno S.L." a name.
    return ":" in segment.plain[match.end() - 1 : match.end() + 2] or legal_form(segment.plain) is None


def _usable(ids: Sequence[TaxId]) -> list[TaxId]:
    """Those whose check digit holds; those that fail it only where a label says that they are tax ids."""
    return [one for one in ids if one.checked or _ID_LABEL.search(one.segment.plain[: one.start].rstrip("es- "))]


def _nearest(segment: Segment, labels: Sequence[Segment]) -> float:
    return min((_distance(one, segment) for one in labels), default=float("inf"))


def _distance(label: Segment, segment: Segment) -> float:
    """A value stands below its label or to its right; to stand to the left is as good as far away."""
    if label.page != segment.page or segment.box.y1 < label.box.y0 - label.height:
        return float("inf")
    down = max(segment.box.y0 - label.box.y1, 0.0)
    aside = max(segment.box.x0 - label.box.x1, 0.0)
    left = max(label.box.x0 - segment.box.x1, 0.0)
    started_left = max(label.box.x0 - segment.box.x0, 0.0) if overlap(label, segment) > 0 else 0.0
    return down + aside * 1.2 + left * 6.0 + started_left * 0.5


def _recipient_id(sheet: Sheet, placed: Sequence[_Placed], labelled: bool) -> tuple[TaxId | None, bool]:
    """The one nearest to a recipient's label, unless it is nearer to an issuer's. Without labels it is the first that
    does not stand in the small print, if that has one; else the second."""
    numbers = list(dict.fromkeys(one.tax_id.number for one in placed))
    near = [one for one in placed if one.to_recipient < min(one.to_issuer, 200.0)]
    if near:
        chosen = min(near, key=lambda one: one.to_recipient)
        return chosen.tax_id, len(numbers) <= 2 or chosen.to_recipient < 80
    if labelled or len(numbers) < 2:
        return None, False
    printed = [one.tax_id for one in placed if _in_small_print(sheet, one.tax_id)]
    others = [one for one in numbers if one not in {tax_id.number for tax_id in printed}]
    number = others[0] if printed and others else numbers[1]
    return next(one.tax_id for one in placed if one.tax_id.number == number), False


def _in_small_print(sheet: Sheet, tax_id: TaxId) -> bool:
    """Where companies say how they are registered: the last rows of a page, or beside such words."""
    segment = tax_id.segment
    lowest = max(row[0].box.y1 for row in sheet.rows if row[0].page == segment.page)
    return segment.box.y1 > 0.93 * lowest or "registro mercantil" in segment.plain


def _issuer_id(placed: Sequence[_Placed], recipient: TaxId | None) -> tuple[TaxId | None, bool]:
    rest = [one for one in placed if recipient is None or one.tax_id.number != recipient.number]
    if not rest:
        return None, False
    chosen = min(rest, key=lambda one: (one.to_issuer, not one.tax_id.checked))
    alone = len({one.tax_id.number for one in rest}) == 1
    return chosen.tax_id, alone or chosen.to_issuer < 80


def _party(
    document: Document, tax_id: TaxId | None, labels: Sequence[Segment], others: Sequence[Segment], *, sure: bool
) -> Tree:
    name = _name(document, tax_id, labels, others)
    if tax_id is None:
        return {"name": name, "nif": None}
    checks = [LABEL_WEAK, SHAPE] + ([CHECK_DIGIT] if tax_id.checked else [])
    number: Found | None = found(tax_id.number, tax_id.span, *checks, verified=tax_id.checked and not tax_id.mended)
    if name is not None and agrees(fold(str(name.value)), tax_id.number) is False:
        # One of the two belongs to somebody else.
        name, number = doubted(name, 0.6), doubted(number, 0.8)
    return {"name": name, "nif": number if sure else doubted(number, 0.7)}


def _name(
    document: Document, tax_id: TaxId | None, labels: Sequence[Segment], others: Sequence[Segment]
) -> Found | None:
    stops = [*labels, *others]
    by_label = [span for one in labels for span in _names_by_label(document.sheet, one, stops)]
    by_id = _names_by_id(document.sheet, tax_id, stops) if tax_id is not None else []
    candidates = [*by_id, *by_label]
    if tax_id is None and not by_label:
        return None
    if not candidates:
        return None
    span = max(candidates, key=lambda one: _weight(one, tax_id, by_id, by_label))
    text = span.text
    form = legal_form(fold(text))
    same = [one for one in document.sheet.segments if fold(text) in one.plain]
    checks = [SHAPE]
    checks += [0.7] if any(one.text == text for one in by_id) else []
    checks += [0.7] if any(one.text == text for one in by_label) else []
    checks += [0.5] if form is not None else []
    checks += [0.7] if tax_id is not None and agrees(fold(text), tax_id.number) else []
    checks += [REPEATED] if len(same) > 1 else []
    item = found(text, span, *checks, verified=len(same) > 1)
    # Some line near a number, on however many pages, is not yet a name.
    told = form is not None or any(one.text == text for one in by_label)
    return item if told else doubted(item, 0.85)


def name_beside(document: Document, tax_id: TaxId) -> Found | None:
    """The name in the block of a tax id."""
    return _name(document, tax_id, (), ())


def _weight(span: Span, tax_id: TaxId | None, by_id: Sequence[Span], by_label: Sequence[Span]) -> float:
    weight = 0.0
    if legal_form(fold(span.text)) is not None:
        weight += 2
    if tax_id is not None and agrees(fold(span.text), tax_id.number):
        weight += 2
    if any(one.text == span.text for one in by_id):
        weight += 1.5 - 0.1 * next(index for index, one in enumerate(by_id) if one.text == span.text)
    if any(one.text == span.text for one in by_label):
        weight += 1.5
    return weight


def _names_by_label(sheet: Sheet, label: Segment, stops: Sequence[Segment]) -> Iterator[Span]:
    """What stands in the label's own segment after a colon, beside it, or first below it."""
    colon = label.plain.find(":")
    if 0 <= colon < len(label.plain) - 2:
        span = name_in(label, colon + 1)
        if span is not None:
            yield span
            return
    for other in _right_and_below(sheet, label):
        if other in stops:
            continue
        span = name_in(other)
        if span is not None:
            yield span
            return


def _right_and_below(sheet: Sheet, label: Segment) -> Iterator[Segment]:
    if label.plain.rstrip().endswith(":"):
        row = sheet.rows[sheet.row_of(label)]
        after = [one for one in row if one.box.x0 > label.box.x1]
        yield from after[:1]
    yield from below(sheet, label, reach=4.0)


def _names_by_id(sheet: Sheet, tax_id: TaxId, stops: Sequence[Segment]) -> list[Span]:
    """Names in the lines of the tax id's block, from the top; those on its own line first."""
    # A single word beside a person's number is what they do, or the town; people have two names at least.
    same_line = name_in(tax_id.segment, 0, _before_label(tax_id))
    block = list(_block(sheet, tax_id.segment, stops))
    names = [same_line, *(name_in(one) for one in block)]
    return [span for span in names if span is not None and (tax_id.kind != "person" or " " in span.text)]


def _before_label(tax_id: TaxId) -> int:
    before = tax_id.segment.plain[: tax_id.start]
    label = re.search(
        r"[\s\-–,;:|·(]*(?:[nc]\.?\s?i\.?\s?f\.?(?:\s?/\s?[nc]\.?\s?i\.?\s?f\.?)?|vat(?: no)?"
        r"|d\.?n\.?i\.?)\W*(?:es)?\W*$",
        before,
    )
    return label.start() if label else tax_id.start


def _block(sheet: Sheet, segment: Segment, stops: Sequence[Segment]) -> list[Segment]:
    """The lines above this one that belong to the same block, and the few below it, from top to bottom."""
    above = _neighbours(sheet, segment, stops, step=-1)
    under = _neighbours(sheet, segment, stops, step=1)
    return [*reversed(above), *under[:2]]


def _neighbours(sheet: Sheet, segment: Segment, stops: Sequence[Segment], step: int) -> list[Segment]:
    lines: list[Segment] = []
    position = sheet.row_of(segment) + step
    current = segment
    misses = 0
    while 0 <= position < len(sheet.rows) and len(lines) < _BLOCK_LINES and misses < 3:
        following = [one for one in sheet.rows[position] if _continues(current, one)]
        position += step
        if not following:
            misses += 1
            continue
        misses = 0
        current = following[0]
        if current in stops:
            break
        lines.append(current)
    return lines


def _continues(line: Segment, other: Segment) -> bool:
    """Whether the other is the next line of the same block: close by, and aligned on one side or in the middle."""
    height = max(line.height, other.height)
    gap = max(other.box.y0 - line.box.y1, line.box.y0 - other.box.y1)
    if line.page != other.page or gap > _LEADING * height:
        return False
    middle = abs((line.box.x0 + line.box.x1) - (other.box.x0 + other.box.x1)) / 2
    aligned = min(abs(line.box.x0 - other.box.x0), abs(line.box.x1 - other.box.x1), middle)
    return aligned < 0.8 * height and overlap(line, other) > 0
