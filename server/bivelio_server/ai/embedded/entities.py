"""What can be told by its form alone: numbers with check digits, dates, amounts, addresses of mail and of the web."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from stdnum import iban
from stdnum.es import nif

from bivelio_server.ai.embedded.amounts import amounts_in
from bivelio_server.ai.embedded.dates import dates_in

EntityKind: TypeAlias = Literal["iban", "email", "url", "tax_id", "date", "amount", "phone"]
Found: TypeAlias = tuple[int, int, Any]

#: Characters that are looked at.
_READ: Final = 200_000
_IBAN: Final = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_EMAIL: Final = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_URL: Final = re.compile(r"(?:https?://|(?<![\w.@/])www\.)[^\s<>\"'«»]+", re.IGNORECASE)
_TRAILING: Final = ".,;:!?)]}…"
_SEPARATED: Final = r"(?:[ .-]?\d)"
_TAX_ID: Final = re.compile(
    rf"(?<![\w-])(?:ES[ -]?)?(?:\d{_SEPARATED}{{7}}[ -]?[A-Z]|[A-Z][ -]?\d{_SEPARATED}{{6}}[ -]?[A-Z0-9])(?![\w-])",
    re.IGNORECASE,
)
_LONGEST_IBAN: Final = 34
_SHORTEST_IBAN: Final = 15


@dataclass(frozen=True, slots=True)
class Entity:
    """`text` stands at `start` to `end`; `value` is its one form: an upper-case number without separators, a date, a
    Money, an E.164 telephone number, a lower-case domain."""

    kind: EntityKind
    start: int
    end: int
    text: str
    value: Any


def entities_in(text: str) -> list[Entity]:
    """In the order of the text, none within another."""
    text = text[:_READ]
    taken: list[Entity] = []
    for kind, find in _FINDERS.items():
        free = (found for found in find(text) if not _overlaps(found, taken))
        taken += [Entity(kind, start, end, text[start:end], value) for start, end, value in list(free)]
    return sorted(taken, key=lambda entity: entity.start)


def _overlaps(found: Found, taken: Iterable[Entity]) -> bool:
    return any(found[0] < entity.end and entity.start < found[1] for entity in taken)


def _ibans(text: str) -> Iterator[Found]:
    """The pattern may go on into the next word: the longest that its check digits confirm is it."""
    for match in _IBAN.finditer(text):
        ends = [at + 1 for at in range(match.start(), match.end()) if text[at].isalnum()]
        for end in reversed(ends[_SHORTEST_IBAN - 1 : _LONGEST_IBAN]):
            if iban.is_valid(text[match.start() : end]):
                yield match.start(), end, iban.compact(text[match.start() : end])
                break


def _emails(text: str) -> Iterator[Found]:
    for match in _EMAIL.finditer(text):
        written = match[0].rstrip(".-")
        try:
            valid = validate_email(written, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            continue
        yield match.start(), match.start() + len(written), valid.normalized


def _urls(text: str) -> Iterator[Found]:
    for match in _URL.finditer(text):
        written = match[0].rstrip(_TRAILING)
        yield match.start(), match.start() + len(written), written


def _tax_ids(text: str) -> Iterator[Found]:
    for match in _TAX_ID.finditer(text):
        written = match[0].replace(".", "")
        if nif.is_valid(written):
            yield match.start(), match.end(), nif.compact(written)


def _phones(text: str) -> Iterator[Found]:
    """Numbers without a country are Spanish."""
    for match in phonenumbers.PhoneNumberMatcher(text, "ES"):
        number = phonenumbers.format_number(match.number, phonenumbers.PhoneNumberFormat.E164)
        opened = match.raw_string.startswith("(") and ")" not in match.raw_string
        yield match.start + opened, match.end, number


#: Those that are surest come first: what they take is not looked at again.
_FINDERS: Final[dict[EntityKind, Callable[[str], Iterator[Found]]]] = {
    "iban": _ibans,
    "email": _emails,
    "url": _urls,
    "tax_id": _tax_ids,
    "date": dates_in,
    "amount": amounts_in,
    "phone": _phones,
}
