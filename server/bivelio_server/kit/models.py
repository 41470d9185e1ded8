"""The base of every input and output model, and the field types that features share."""

import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated, Any, Final

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from bivelio_server.kit import json
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError

MAX_PER_PAGE: Final = 100


class Input(BaseModel):
    """What a caller sends: strict types, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", strict=True, defer_build=True)


class Nothing(Input):
    """The input of an operation that asks for nothing."""


class Output(BaseModel):
    """What a caller receives: every field always present, unknown is null."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, defer_build=True)


class PageInput(Input):
    page: int = Field(1, ge=1, le=100_000)
    per_page: int = Field(20, ge=1, le=MAX_PER_PAGE)

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page


class Pagination(Output):
    page: int
    per_page: int
    total: int
    total_pages: int

    @classmethod
    def of(cls, data: PageInput, total: int) -> "Pagination":
        pages = max(1, -(-total // data.per_page))
        return cls(page=data.page, per_page=data.per_page, total=total, total_pages=pages)


class Words(Output):
    """What a person reads, in both languages."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, from_attributes=True)

    es: str
    en: str


def _plain_text(value: str) -> str:
    if not value.strip():
        raise FieldError("min_length", Text("El campo '{field}' está vacío.", "The field '{field}' is empty."))
    return value


# A company may well keep contacts at its own intranet's names.
SPECIAL_USE_DOMAIN_NAMES.clear()


def normal_email(value: str) -> str:
    """The address as `validate_email` normalises it, without its cost for the usual ones. Raises FieldError."""
    local, _, domain = value.rpartition("@")
    if domain.isascii() and len(local) <= _MAX_LOCAL and _USUAL_LOCAL.fullmatch(local):
        normal = _normal_domain(domain)
        if normal.isascii() and local.lower() not in CASE_INSENSITIVE_MAILBOX_NAMES:
            whole = f"{local}@{normal}"
            if len(whole) <= EMAIL_MAX_LENGTH:
                return whole
    return _validated_email(value)


@lru_cache(maxsize=1024)
def _normal_domain(domain: str) -> str:
    return _validated_email(f"a@{domain}").removeprefix("a@")


def _validated_email(value: str) -> str:
    try:
        return validate_email(value, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        raise FieldError(
            "email",
            Text(
                "El campo '{field}' no es una dirección de correo válida (como nombre@dominio.com).",
                "The field '{field}' is not a valid e-mail address (such as name@domain.com).",
            ),
        ) from None


# Of these the domain alone decides.
_USUAL_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_MAX_LOCAL: Final = 64


def _parse_timestamp(value: object) -> object:
    if isinstance(value, datetime):
        return value
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise FieldError(
        "date-time",
        Text(
            "El campo '{field}' debe ser una fecha y hora con desfase, como 2026-04-07T12:00:00Z.",
            "The field '{field}' must be a date and time with an offset, such as 2026-04-07T12:00:00Z.",
        ),
    )


def _parse_date(value: object) -> object:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str) and len(value) == len("2026-04-07") and value[4] == value[7] == "-":
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise FieldError(
        "date",
        Text(
            "El campo '{field}' debe ser una fecha, como 2026-04-07.",
            "The field '{field}' must be a date, such as 2026-04-07.",
        ),
    )


def _bounded_object(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value)) > MAX_OBJECT_BYTES:
        raise FieldError(
            "max_length",
            Text(
                f"El campo '{{field}}' ocupa más de {MAX_OBJECT_BYTES} bytes.",
                f"The field '{{field}}' takes more than {MAX_OBJECT_BYTES} bytes.",
            ),
        )
    return value


@lru_cache(maxsize=4096)
def parse_phone(value: str, region: str = "ES") -> str:
    """The E.164 form of a phone as a person writes it; a number without prefix is of `region`. Raises FieldError."""
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        raise FieldError("phone", _PHONE) from None
    if not phonenumbers.is_possible_number(number):
        raise FieldError("phone", _PHONE)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _phone(value: str) -> str:
    parse_phone(value)
    return value


_PHONE: Final = Text(
    "El campo '{field}' no es un teléfono (como +34 612 345 678).",
    "The field '{field}' is not a phone number (such as +34 612 345 678).",
)
MAX_OBJECT_BYTES: Final = 64 * 1024

Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_plain_text)]
Email = Annotated[
    str, Field(min_length=3, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(normal_email)
]
Phone = Annotated[str, Field(min_length=3, max_length=40), AfterValidator(_phone)]
Tag = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_plain_text)]
# Whatever is no id is a missing resource (404), not a malformed request.
Id = Annotated[str, Field(json_schema_extra={"maxLength": 100})]
FreeObject = Annotated[dict[Annotated[str, Field(min_length=1, max_length=100)], Any], AfterValidator(_bounded_object)]
Timestamp = Annotated[
    datetime, BeforeValidator(_parse_timestamp), WithJsonSchema({"type": "string", "format": "date-time"})
]
Date = Annotated[date, BeforeValidator(_parse_date), WithJsonSchema({"type": "string", "format": "date"})]
