"""How Spanish and English write numbers, money and dates; the words and signs are those of CLDR."""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Final

from iso4217 import Currency

from bivelio_server.workflows.expressions.errors import EvaluationError, shown
from bivelio_server.workflows.expressions.limits import MAX_EXPONENT

_NO_BREAK_SPACE: Final = "\u00a0"
#: Room for every digit before the point and a hundred after it.
_FIXED: Final = Context(prec=MAX_EXPONENT + 200, Emin=-9999, Emax=9999)


@dataclass(frozen=True, slots=True, eq=False)
class Locale:
    point: str
    group: str
    months: tuple[str, ...]
    short_months: tuple[str, ...]
    days: tuple[str, ...]
    short_days: tuple[str, ...]
    halves: tuple[str, str]
    styles: dict[str, str]
    signs: dict[str, str]
    """Of the currencies that are written with one; the others are written with their code."""
    sign_first: bool


_SPANISH: Final = Locale(
    point=",",
    group=".",
    months=tuple(
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()  # noqa: SIM905
    ),
    short_months=tuple("ene feb mar abr may jun jul ago sept oct nov dic".split()),  # noqa: SIM905
    days=tuple("lunes martes miércoles jueves viernes sábado domingo".split()),  # noqa: SIM905
    short_days=tuple("lun mar mié jue vie sáb dom".split()),  # noqa: SIM905
    halves=("a.\u202fm.", "p.\u202fm."),
    styles={
        "short": "dd/MM/yyyy",
        "medium": "d MMM yyyy",
        "long": "d 'de' MMMM 'de' yyyy",
        "full": "EEEE, d 'de' MMMM 'de' yyyy",
    },
    signs={"EUR": "€", "USD": "US$"},
    sign_first=False,
)
_ENGLISH: Final = Locale(
    point=".",
    group=",",
    months=tuple(
        "January February March April May June July August September October November December".split()  # noqa: SIM905
    ),
    short_months=tuple("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()),  # noqa: SIM905
    days=tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),  # noqa: SIM905
    short_days=tuple("Mon Tue Wed Thu Fri Sat Sun".split()),  # noqa: SIM905
    halves=("AM", "PM"),
    # Digits alone would be read as another day on one side of the ocean.
    styles={
        "short": "yyyy-MM-dd",
        "medium": "MMM d, yyyy",
        "long": "MMMM d, yyyy",
        "full": "EEEE, MMMM d, yyyy",
    },
    signs={"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"},
    sign_first=True,
)
_LOCALES: Final = {"es": _SPANISH, "en": _ENGLISH}


def locale_named(name: str) -> Locale:
    if name not in _LOCALES:
        raise EvaluationError(f"«{shown(name)}» no es «es» ni «en».", f"“{shown(name)}” is neither “es” nor “en”.")
    return _LOCALES[name]


def fixed_text(value: Decimal, digits: int) -> str:
    """With exactly so many decimals, halves rounded away from zero, and no sign on a zero."""
    fixed = value.quantize(Decimal((0, (1,), -digits)), ROUND_HALF_UP, _FIXED)
    return format(fixed or fixed.copy_abs(), "f")


def grouped(text: str, locale: Locale) -> str:
    """A number's plain text with thousands and point as the locale writes them."""
    sign = "-" if text.startswith("-") else ""
    whole, _, decimals = text.removeprefix("-").partition(".")
    thousands = f"{int(whole):,}".replace(",", locale.group)
    return f"{sign}{thousands}{locale.point}{decimals}" if decimals else f"{sign}{thousands}"


def money_text(value: Decimal, code: str, locale: Locale) -> str:
    amount = grouped(fixed_text(value, _decimals_of(code)), locale)
    sign = locale.signs.get(code, code)
    if not locale.sign_first:
        return f"{amount}{_NO_BREAK_SPACE}{sign}"
    minus = "-" if amount.startswith("-") else ""
    space = "" if code in locale.signs else _NO_BREAK_SPACE
    return f"{minus}{sign}{space}{amount.removeprefix('-')}"


def _decimals_of(code: str) -> int:
    try:
        return Currency(code).exponent or 0
    except ValueError:
        raise EvaluationError(
            f"«{shown(code)}» no es una moneda como «EUR».", f"“{shown(code)}” is not a currency such as “EUR”."
        ) from None
