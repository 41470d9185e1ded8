"""The settings of an organisation: declared once, here, with their defaults, and served as a JSON schema."""

from functools import lru_cache
from typing import Annotated, Final
from zoneinfo import available_timezones

from iso4217 import Currency
from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.kit.models import Input
from bivelio_server.kit.text import Language, Text
from bivelio_server.kit.validation import FieldError


def _timezone(value: str) -> str:
    if value not in known_timezones():
        raise FieldError("timezone", _TIMEZONE)
    return value


def _currency(value: str) -> str:
    if value not in _CURRENCIES:
        raise FieldError("currency", _CURRENCY)
    return value


Timezone = Annotated[str, Field(max_length=60, examples=["Europe/Madrid"]), AfterValidator(_timezone)]
CurrencyCode = Annotated[str, Field(max_length=3, examples=["EUR"]), AfterValidator(_currency)]
Days = Annotated[int, Field(ge=1, le=3650)] | None
Count = Annotated[int, Field(ge=1, le=1_000_000_000)] | None


class Retention(Input):
    """For how many days each kind of record is kept; null keeps it for ever. Of a workflow's finished runs the newest
    `runs_kept` are kept, null for all, and those only for `runs_days`."""

    model_config = ConfigDict(title="Retention")

    events_days: Days = 90
    deliveries_days: Days = 30
    requests_days: Days = 30
    audit_days: Days = 730
    runs_days: Days = 90
    runs_kept: Count = 10_000


class OrganizationSettings(Input):
    """Dates, numbers and quotas follow these; `locale` is the language of what is written without a reader at hand."""

    model_config = ConfigDict(title="OrganizationSettings")

    timezone: Timezone = "Europe/Madrid"
    locale: Language = "es"
    currency: CurrencyCode = "EUR"
    retention: Retention = Retention()


@lru_cache(maxsize=1)
def known_timezones() -> frozenset[str]:
    """The names of IANA time zones."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


_CURRENCIES: Final = frozenset(currency.code for currency in Currency)
_TIMEZONE: Final = Text(
    "El campo '{field}' debe ser una zona horaria de IANA (como Europe/Madrid).",
    "The field '{field}' must be an IANA time zone (such as Europe/Madrid).",
)
_CURRENCY: Final = Text(
    "El campo '{field}' debe ser una moneda de ISO 4217 (como EUR).",
    "The field '{field}' must be an ISO 4217 currency (such as EUR).",
)
