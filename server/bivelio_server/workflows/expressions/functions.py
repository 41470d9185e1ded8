"""The functions and methods an expression may call. Each pays in advance for what it reads and builds."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache, partial
from typing import NamedTuple

import re2

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError, shown
from bivelio_server.workflows.expressions.limits import (
    MAX_PATTERN,
    MEMBER_BYTES,
    PATTERN_MEMORY,
    PATTERN_STEPS,
    PATTERN_WORK_PER_STEP,
    STRING_BYTES,
    TIME_STEPS,
    ZONE_STEPS,
    Budget,
)
from bivelio_server.workflows.expressions.numbers import decimal_from, integer_from, integer_of
from bivelio_server.workflows.expressions.times import (
    DURATION_PARTS,
    TIMESTAMP_PARTS,
    duration_from,
    epoch_seconds,
    local,
    timestamp_at,
    timestamp_from,
    zone_of,
)
from bivelio_server.workflows.expressions.values import Value, adopt, is_number, text_of

_WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}


_Run = Callable[[Sequence[Value], Budget], Value]


class Function(NamedTuple):
    """`least` and `most` count the arguments between brackets; a method's target comes before them."""

    least: int
    most: int
    run: _Run


def _size(value: Value) -> Value:
    if isinstance(value, str | list | dict):
        return len(value)
    raise NoOverloadError


def _int(value: Value) -> Value:
    if isinstance(value, str):
        return integer_from(value)
    if isinstance(value, datetime):
        return epoch_seconds(value)
    if is_number(value):
        return integer_of(value)
    raise NoOverloadError


def _double(value: Value) -> Value:
    if isinstance(value, str):
        return decimal_from(value)
    if is_number(value):
        return Decimal(value)
    raise NoOverloadError


def _string(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    if value is None or isinstance(value, list | dict):
        raise NoOverloadError
    return text_of(value, budget)


def _bool(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in {"true", "false"}:
        return value == "true"
    raise NoOverloadError


def _timestamp(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    budget.spend(TIME_STEPS)
    if isinstance(value, str):
        return timestamp_from(value)
    if isinstance(value, datetime):
        return value
    if type(value) is int:
        return timestamp_at(value)
    raise NoOverloadError


def _duration(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    budget.spend(TIME_STEPS)
    if isinstance(value, str):
        return duration_from(value)
    if isinstance(value, timedelta):
        return value
    raise NoOverloadError


def _matches(arguments: Sequence[Value], budget: Budget) -> Value:
    text, pattern = _texts(arguments)
    if pattern not in budget.patterns:
        budget.spend(PATTERN_STEPS)
        budget.patterns.add(pattern)
    compiled = _pattern(pattern) if len(pattern) <= MAX_PATTERN else None
    if compiled is None:
        raise EvaluationError(
            f"«{shown(pattern)}» no es un patrón RE2 o es demasiado grande.",
            f"“{shown(pattern)}” is not an RE2 pattern or is too large.",
        )
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise EvaluationError("El texto no es Unicode válido.", "The text is not valid Unicode.") from None
    budget.spend(1 + compiled.work * len(encoded) // PATTERN_WORK_PER_STEP)
    return compiled.found(encoded)


class _Pattern(NamedTuple):
    found: Callable[[bytes], bool]
    work: int
    """Instructions of the compiled program: what one byte of text may cost."""


@lru_cache(maxsize=64)
def _pattern(pattern: str) -> _Pattern | None:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        program = re2.compile(pattern.encode(), options)
    except (re2.error, UnicodeEncodeError):
        return None
    return _Pattern(lambda text: program.search(text) is not None, int(program.programsize))


def _contains(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = _texts(arguments)
    budget.scan(len(text) + len(part))
    return part in text


def _starts_with(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = _texts(arguments)
    budget.scan(len(part))
    return text.startswith(part)


def _ends_with(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = _texts(arguments)
    budget.scan(len(part))
    return text.endswith(part)


def _lower(arguments: Sequence[Value], budget: Budget) -> Value:
    (text,) = _texts(arguments)
    budget.allocate_text(len(text))
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _upper(arguments: Sequence[Value], budget: Budget) -> Value:
    (text,) = _texts(arguments)
    budget.allocate_text(len(text))
    return text.upper() if text.isascii() else text.translate(_UPPER)


def _trim(arguments: Sequence[Value], budget: Budget) -> Value:
    (text,) = _texts(arguments)
    budget.allocate_text(len(text))
    return text.strip(_WHITESPACE)


def _replace(arguments: Sequence[Value], budget: Budget) -> Value:
    text, old, new = _texts(arguments[:3])
    limit = _count(arguments[3]) if len(arguments) == 4 else -1
    budget.scan(len(text) * 4 + len(old))
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    budget.allocate_text(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, times)


def _split(arguments: Sequence[Value], budget: Budget) -> Value:
    text, separator = _texts(arguments[:2])
    limit = _count(arguments[2]) if len(arguments) == 3 else -1
    budget.scan(len(text) * 4 + len(separator))
    parts = text.count(separator) + 1 if separator else max(len(text), 1)
    parts = parts if limit < 0 else min(parts, limit)
    budget.allocate(len(text) + parts * (MEMBER_BYTES + STRING_BYTES))
    budget.spend(parts)
    if parts <= 1:
        return list[object]([text][:parts])
    if separator:
        return list[object](text.split(separator, parts - 1))
    return [*text[: parts - 1], text[parts - 1 :]]


def _join(arguments: Sequence[Value], budget: Budget) -> Value:
    parts = arguments[0]
    if not isinstance(parts, list):
        raise NoOverloadError
    (separator,) = _texts(arguments[1:]) if len(arguments) == 2 else ("",)
    budget.spend(len(parts))
    budget.allocate_members(len(parts))
    texts = _texts([adopt(part) for part in parts])
    budget.allocate_text(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def _substring(arguments: Sequence[Value], budget: Budget) -> Value:
    (text,) = _texts(arguments[:1])
    start = _count(arguments[1])
    end = _count(arguments[2]) if len(arguments) == 3 else len(text)
    if not 0 <= start <= end <= len(text):
        raise EvaluationError(
            f"El tramo de {start} a {end} no cabe en un texto de {len(text)} caracteres.",
            f"The range from {start} to {end} does not fit in a text of {len(text)} characters.",
        )
    budget.allocate_text(end - start)
    return text[start:end]


def _part(name: str, arguments: Sequence[Value], budget: Budget) -> Value:
    value, *zone = arguments
    if isinstance(value, datetime):
        if zone:
            budget.spend(ZONE_STEPS)
            value = local(value, zone_of(_texts(zone)[0]))
        return TIMESTAMP_PARTS[name](value)
    if isinstance(value, timedelta) and name in DURATION_PARTS and not zone:
        return DURATION_PARTS[name](value)
    raise NoOverloadError


def _texts(arguments: Sequence[Value]) -> list[str]:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if len(texts) != len(arguments):
        raise NoOverloadError
    return texts


def _count(argument: Value) -> int:
    if type(argument) is int:
        return argument
    raise NoOverloadError


def _simple(function: Callable[[Value], Value]) -> _Run:
    """A function of one value that costs nothing beyond its step."""

    def run(arguments: Sequence[Value], _budget: Budget) -> Value:
        return function(arguments[0])

    return run


FUNCTIONS: dict[str, Function] = {
    "size": Function(1, 1, _simple(_size)),
    "int": Function(1, 1, _simple(_int)),
    "double": Function(1, 1, _simple(_double)),
    "string": Function(1, 1, _string),
    "bool": Function(1, 1, _simple(_bool)),
    "timestamp": Function(1, 1, _timestamp),
    "duration": Function(1, 1, _duration),
    "matches": Function(2, 2, _matches),
}

METHODS: dict[str, Function] = {
    "size": Function(0, 0, _simple(_size)),
    "contains": Function(1, 1, _contains),
    "startsWith": Function(1, 1, _starts_with),
    "endsWith": Function(1, 1, _ends_with),
    "matches": Function(1, 1, _matches),
    "lowerAscii": Function(0, 0, _lower),
    "upperAscii": Function(0, 0, _upper),
    "trim": Function(0, 0, _trim),
    "replace": Function(2, 3, _replace),
    "split": Function(1, 2, _split),
    "join": Function(0, 1, _join),
    "substring": Function(1, 2, _substring),
} | {name: Function(0, 1, partial(_part, name)) for name in TIMESTAMP_PARTS}
