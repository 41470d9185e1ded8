"""CEL's `format`: `'%s: %.2f'.format([name, total])`."""

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError
from bivelio_server.workflows.expressions.functions.arguments import Function, list_in, number_in, text_in
from bivelio_server.workflows.expressions.functions.formatting import decimals_in
from bivelio_server.workflows.expressions.limits import FORMAT_STEPS, Budget
from bivelio_server.workflows.expressions.locales import fixed_text
from bivelio_server.workflows.expressions.numbers import number_text
from bivelio_server.workflows.expressions.values import Maybe, Value, adopt, enter, keys_of, scalar_text, type_names

_CLAUSE = re.compile(r"%(?:\.([0-9]{1,9}))?([A-Za-z%])")
_USUAL_DECIMALS = 6

_Clause = Callable[[Value, int, Budget], str]


def _format(arguments: Sequence[Value], budget: Budget) -> Value:
    template, values = text_in(arguments[0]), list_in(arguments[1])
    budget.scan(len(template))
    budget.allocate_text(len(template))
    built: list[str] = []
    position = taken = 0
    while (start := template.find("%", position)) >= 0:
        budget.spend(FORMAT_STEPS)
        match = _CLAUSE.match(template, start)
        if match is None or match[2] not in _CLAUSES:
            raise _unknown(template[start : start + 10])
        built.append(template[position:start])
        if match[2] == "%":
            built.append("%")
        else:
            built.append(_clause(match, _taken(values, taken), budget))
            taken += 1
        position = match.end()
    return "".join((*built, template[position:]))


def _taken(values: list[object], position: int) -> Value:
    if position < len(values):
        return adopt(values[position])
    raise EvaluationError(f"Falta el valor {position + 1}.", f"Value {position + 1} is missing.")


def _clause(match: re.Match[str], value: Value, budget: Budget) -> str:
    decimals = decimals_in(int(match[1])) if match[1] else _USUAL_DECIMALS
    try:
        text = _CLAUSES[match[2]](value, decimals, budget)
    except NoOverloadError:
        es, en = type_names([value])
        raise EvaluationError(f"«{match[0]}» no admite: {es}.", f"“{match[0]}” does not accept: {en}.") from None
    budget.scan(len(text) * 8)
    budget.allocate_text(len(text))
    return text


def _as_text(value: Value, _decimals: int, budget: Budget) -> str:
    return _plain(value, budget, 0)


def _plain(value: Value, budget: Budget, depth: int) -> str:
    """Lists and maps as CEL shows them: texts without quotes, keys in order."""
    if isinstance(value, Maybe):
        return _plain(value.value, budget, depth)
    if isinstance(value, list):
        enter(value, budget, depth)
        return f"[{', '.join([_plain(adopt(item), budget, depth + 1) for item in value])}]"
    if isinstance(value, dict):
        enter(value, budget, depth)
        budget.spend(len(value) * (1 + len(value).bit_length()))
        keys = sorted(keys_of(value, budget))
        return f"{{{', '.join([f'{key}: {_plain(adopt(value[key]), budget, depth + 1)}' for key in keys])}}}"
    text = "null" if value is None else scalar_text(value, budget)
    budget.allocate_text(len(text))
    return text


def _as_number(value: Value, _decimals: int, _budget: Budget) -> str:
    return number_text(number_in(value))


def _as_fixed(value: Value, decimals: int, _budget: Budget) -> str:
    return fixed_text(Decimal(number_in(value)), decimals)


def _as_scientific(value: Value, decimals: int, _budget: Budget) -> str:
    number = Decimal(number_in(value))
    if number == 0:  # of which Decimal keeps an exponent
        return f"{fixed_text(Decimal(0), decimals)}e+00"
    digits = Context(prec=decimals + 1, rounding=ROUND_HALF_UP).plus(number)
    mantissa, _, exponent = format(digits, f".{decimals}e").partition("e")
    return f"{mantissa}e{int(exponent):+03}"


def _in_base(base: str) -> _Clause:
    def clause(value: Value, _decimals: int, budget: Budget) -> str:
        if isinstance(value, str) and base in "xX":
            return _bytes_in_hexadecimal(value, base, budget)
        if isinstance(value, bool) and base == "b":
            return format(int(value), "b")
        if type(value) is int:
            return format(value, base)
        raise NoOverloadError

    return clause


def _bytes_in_hexadecimal(text: str, base: str, budget: Budget) -> str:
    budget.allocate(len(text) * 12)
    try:
        digits = text.encode().hex()
    except UnicodeEncodeError:
        raise EvaluationError("El texto no es Unicode válido.", "The text is not valid Unicode.") from None
    return digits.upper() if base == "X" else digits


def _unknown(clause: str) -> EvaluationError:
    return EvaluationError(
        f"«{clause}» no es %s, %d, %f, %.2f, %e, %b, %o, %x, %X ni %%.",
        f"“{clause}” is none of %s, %d, %f, %.2f, %e, %b, %o, %x, %X and %%.",
    )


_CLAUSES: dict[str, _Clause] = {
    "s": _as_text,
    "d": _as_number,
    "f": _as_fixed,
    "e": _as_scientific,
    **{base: _in_base(base) for base in "boxX"},
    "%": _as_text,
}
FUNCTIONS: dict[str, Function] = {}
METHODS: dict[str, Function] = {"format": Function(1, 1, _format)}
EITHER: dict[str, Function] = {}
