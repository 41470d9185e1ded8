"""What `format` may ask of a text: what the fields of operations ask, so that what passes here passes there."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from bivelio_server.kit.models import Date, Email, Phone, Timestamp
from bivelio_server.kit.text import Text

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}:[!-~]+")
_LONGEST: Final = 2048


class Format(NamedTuple):
    """`cost` in steps of a check."""

    accepts: Callable[[str], bool]
    cost: int
    text: Text


def _as_field(kind: Any) -> Callable[[str], bool]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)

    def accepts(value: str) -> bool:
        try:
            adapter.validate_python(value)
        except ValidationError:
            return False
        return True

    return accepts


def _is_uuid(value: str) -> bool:
    try:
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _is_uri(value: str) -> bool:
    return len(value) <= _LONGEST and _URI.fullmatch(value) is not None


FORMATS: Final[Mapping[str, Format]] = {
    "email": Format(_as_field(Email), 400, Text("una dirección de correo (como nombre@dominio.com)", "an e-mail address (such as name@domain.com)")),
    "phone": Format(_as_field(Phone), 200, Text("un teléfono (como +34 612 345 678)", "a phone number (such as +34 612 345 678)")),
    "date": Format(_as_field(Date), 20, Text("una fecha (como 2026-04-07)", "a date (such as 2026-04-07)")),
    "date-time": Format(_as_field(Timestamp), 20, Text("una fecha y hora con desfase (como 2026-04-07T12:00:00Z)", "a date and time with an offset (such as 2026-04-07T12:00:00Z)")),
    "uri": Format(_is_uri, 10, Text("una dirección web completa (como https://ejemplo.com)", "a full web address (such as https://example.com)")),
    "uuid": Format(_is_uuid, 10, Text("un UUID", "a UUID")),
}  # fmt: skip
