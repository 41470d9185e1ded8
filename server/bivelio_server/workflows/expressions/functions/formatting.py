"""Numbers, money and dates written for people, and read from what people write."""

import re
from collections.abc import Sequence
from decimal import Decimal

from bivelio_server.workflows.expressions.date_patterns import date_written, read_date
from bivelio_server.workflows.expressions.errors import EvaluationError, shown
from bivelio_server.workflows.expressions.functions.arguments import Function, number_in, text_in, whole_in
from bivelio_server.workflows.expressions.functions.calendar import on_calendar
from bivelio_server.workflows.expressions.limits import FORMAT_STEPS, MAX_DECIMALS, MAX_NUMBER_TEXT, Budget
from bivelio_server.workflows.expressions.locales import Locale, fixed_text, grouped, locale_named, money_text
from bivelio_server.workflows.expressions.numbers import decimal_from, number_text
from bivelio_server.workflows.expressions.values import Value

_AROUND = re.compile(r"[A-Za-z€$£¥\s]*+([-\u2212]?)[A-Za-z€$£¥\s]*+([0-9][0-9.,]*+)[A-Za-z€$£¥\s]*+")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})++|[0-9]++")


def decimals_in(argument: Value) -> int:
    digits = whole_in(argument)
    if not 0 <= digits <= MAX_DECIMALS:
        raise EvaluationError(f"Los decimales van de 0 a {MAX_DECIMALS}.", f"Decimals go from 0 to {MAX_DECIMALS}.")
    return digits


def _format_number(arguments: Sequence[Value], budget: Budget) -> Value:
    """With its own decimals unless their number is given."""
    number, locale = number_in(arguments[0]), _locale(arguments[2:], budget)
    if len(arguments) > 1 and arguments[1] is not None:
        return _paid(grouped(fixed_text(Decimal(number), decimals_in(arguments[1])), locale), budget)
    return _paid(grouped(number_text(number), locale), budget)


def _format_money(arguments: Sequence[Value], budget: Budget) -> Value:
    amount, locale = number_in(arguments[0]), _locale(arguments[2:], budget)
    code = text_in(arguments[1]) if len(arguments) > 1 else budget.conventions.currency
    return _paid(money_text(Decimal(amount), code, locale), budget)


def _format_date(arguments: Sequence[Value], budget: Budget) -> Value:
    """In one of the locale's styles, or by a pattern such as `dd/MM/yyyy`."""
    style, locale = text_in(arguments[1]) if len(arguments) > 1 else "short", _locale(arguments[2:], budget)
    moment = on_calendar(arguments[0], arguments[3:], budget)
    budget.spend(3 * len(style))
    return _paid(date_written(moment, locale.styles.get(style, style), locale), budget)


def _parse_number(arguments: Sequence[Value], budget: Budget) -> Value:
    """`1.234,50 €`, as Spanish writes it, is 1234.50."""
    text, locale = text_in(arguments[0]), _locale(arguments[1:], budget)
    budget.spend(FORMAT_STEPS + len(text) // 8)
    match = _AROUND.fullmatch(text) if len(text) <= MAX_NUMBER_TEXT else None
    if match:
        plain = match[2].translate({ord(locale.group): ".", ord(locale.point): ","})
        whole, _, decimals = plain.partition(",")
        if _THOUSANDS.fullmatch(whole) and (decimals.isdigit() or "," not in plain):
            sign = "-" if match[1] else ""
            return decimal_from(f"{sign}{whole.replace('.', '')}.{decimals}")
    raise EvaluationError(f"«{shown(text)}» no es un número.", f"“{shown(text)}” is not a number.")


def _parse_date(arguments: Sequence[Value], budget: Budget) -> Value:
    text, pattern = text_in(arguments[0]), text_in(arguments[1])
    budget.spend(FORMAT_STEPS + 3 * len(pattern))
    day = read_date(text, pattern, _locale(arguments[2:], budget))
    if day is None:
        raise EvaluationError(
            f"«{shown(text)}» no es una fecha escrita como «{shown(pattern)}».",
            f"“{shown(text)}” is not a date written as “{shown(pattern)}”.",
        )
    return day.isoformat()


def _locale(given: Sequence[Value], budget: Budget) -> Locale:
    return locale_named(text_in(given[0]) if given else budget.conventions.locale)


def _paid(text: str, budget: Budget) -> str:
    budget.spend(FORMAT_STEPS)
    budget.scan(len(text) * 8)
    budget.allocate_text(len(text))
    return text


FUNCTIONS: dict[str, Function] = {}
METHODS: dict[str, Function] = {}
EITHER: dict[str, Function] = {
    "formatNumber": Function(1, 3, _format_number),
    "formatMoney": Function(1, 3, _format_money),
    "formatDate": Function(1, 4, _format_date),
    "parseNumber": Function(1, 2, _parse_number),
    "parseDate": Function(2, 3, _parse_date),
}
