"""Which of several values for a field it is, and how sure that is."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from bivelio_server.documents.fields.amounts import Amount
from bivelio_server.documents.fields.document import Document
from bivelio_server.documents.fields.found import REPEATED, SHAPE, UNRIVALLED, Found, doubted, found
from bivelio_server.documents.fields.labels import Candidate, Reader
from bivelio_server.documents.fields.layout import Segment, Span
from bivelio_server.documents.fields.results import Plain

#: A date that can be read day first or month first.
AMBIGUOUS: float = 0.5
#: How far behind its label, in characters, a date may stand.
_NEAR: int = 24


@dataclass(frozen=True, slots=True)
class Read:
    """A value read at a place; not `sure` if it may be read in another way."""

    value: Plain
    span: Span
    sure: bool = True


def chosen(candidates: Sequence[Candidate[Read]], *more: float) -> Found | None:
    """The candidate with the strongest label; the same value elsewhere speaks for it, another one as strong against."""
    if not candidates:
        return None
    support: dict[Plain, list[Candidate[Read]]] = defaultdict(list)
    for candidate in candidates:
        support[candidate.value.value].append(candidate)
    best = max(candidates, key=lambda candidate: candidate.strength)
    value = best.value.value
    places = {(one.value.span.page, one.value.span.box) for one in support[value]}
    rivals = [one for one in candidates if one.value.value != value and one.strength >= best.strength - 0.1]
    checks = [best.strength, SHAPE, *more]
    checks += [REPEATED] if len(places) > 1 else []
    checks += [] if rivals else [UNRIVALLED]
    item: Found | None = found(value, best.value.span, *checks, verified=len(places) > 1)
    item = item if not rivals or len(places) > len(rivals) else doubted(item, 0.8)
    return item if best.value.sure else doubted(item, AMBIGUOUS)


def money_reader(document: Document) -> Reader[Amount]:
    """The first amount of money of a place."""

    def read(segment: Segment, start: int) -> Amount | None:
        return next((amount for amount in document.amounts_at(segment, start) if amount.money), None)

    return read


def date_reader(document: Document) -> Reader[Read]:
    def read(segment: Segment, start: int) -> Read | None:
        for dated in document.dates(segment):
            if start <= dated.start < start + _NEAR:
                return Read(dated.iso, dated.span, dated.sure)
        return None

    return read
