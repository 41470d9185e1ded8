"""Texts: CEL's string functions, and what office work needs besides."""

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote

from bivelio_server.workflows.expressions.errors import EvaluationError
from bivelio_server.workflows.expressions.functions.arguments import Function, list_in, text_in, texts_in, whole_in
from bivelio_server.workflows.expressions.limits import (
    CHARACTERS_PER_CASE_STEP,
    COMPARISON_STEPS,
    MEMBER_BYTES,
    STRING_BYTES,
    Budget,
)
from bivelio_server.workflows.expressions.values import Value, adopt, equal

_WHITESPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER = {lower: lower - 32 for lower in range(ord("a"), ord("z") + 1)}
_QUOTED = {
    "\\": r"\\",
    '"': r"\"",
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}


def contains(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = texts_in(arguments)
    budget.search(text, part)
    return part in text


def _starts_with(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = texts_in(arguments)
    budget.scan(len(part))
    return text.startswith(part)


def _ends_with(arguments: Sequence[Value], budget: Budget) -> Value:
    text, part = texts_in(arguments)
    budget.scan(len(part))
    return text.endswith(part)


def _changed(change: Callable[[str], str], growth: int = 1) -> Callable[[Sequence[Value], Budget], Value]:
    """A change of every character that is slow beyond ASCII, where a text may also grow."""

    def run(arguments: Sequence[Value], budget: Budget) -> Value:
        text = text_in(arguments[0])
        if text.isascii():
            budget.allocate_text(len(text))
        else:
            budget.spend(len(text) // CHARACTERS_PER_CASE_STEP)
            budget.allocate_text(len(text) * growth)
        return change(text)

    return run


def _lower_ascii(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_LOWER)


def _upper_ascii(text: str) -> str:
    return text.upper() if text.isascii() else text.translate(_UPPER)


def _without_accents(text: str) -> str:
    return text if text.isascii() else "".join(map(_plain, text))


@lru_cache(maxsize=1024)
def _plain(character: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFD", character) if not unicodedata.combining(part))


def _trim(text: str) -> str:
    return text.strip(_WHITESPACE)


def _replace(arguments: Sequence[Value], budget: Budget) -> Value:
    text, old, new = texts_in(arguments[:3])
    limit = whole_in(arguments[3]) if len(arguments) == 4 else -1
    budget.search(text, old)
    budget.scan(len(text) * 4)
    found = text.count(old)
    times = found if limit < 0 else min(found, limit)
    budget.allocate_text(len(text) + times * max(len(new) - len(old), 0))
    return text.replace(old, new, times)


def _split(arguments: Sequence[Value], budget: Budget) -> Value:
    text, separator = texts_in(arguments[:2])
    limit = whole_in(arguments[2]) if len(arguments) == 3 else -1
    budget.search(text, separator)
    budget.scan(len(text) * 4)
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
    parts = list_in(arguments[0])
    (separator,) = texts_in(arguments[1:]) if len(arguments) == 2 else ("",)
    budget.spend(len(parts))
    budget.allocate_members(len(parts))
    texts = texts_in([adopt(part) for part in parts])
    budget.allocate_text(sum(map(len, texts)) + len(separator) * max(len(texts) - 1, 0))
    return separator.join(texts)


def _substring(arguments: Sequence[Value], budget: Budget) -> Value:
    text, start = text_in(arguments[0]), whole_in(arguments[1])
    end = whole_in(arguments[2]) if len(arguments) == 3 else len(text)
    if not 0 <= start <= end <= len(text):
        raise EvaluationError(
            f"El tramo de {start} a {end} no cabe en un texto de {len(text)} caracteres.",
            f"The range from {start} to {end} does not fit in a text of {len(text)} characters.",
        )
    budget.allocate_text(end - start)
    return text[start:end]


def _char_at(arguments: Sequence[Value], _budget: Budget) -> Value:
    text, position = text_in(arguments[0]), whole_in(arguments[1])
    _require_position(text, position)
    return text[position : position + 1]


def _index_of(arguments: Sequence[Value], budget: Budget) -> Value:
    if isinstance(arguments[0], list) and len(arguments) == 2:
        return _first_position(arguments[0], arguments[1], budget)
    text, part = texts_in(arguments[:2])
    start = whole_in(arguments[2]) if len(arguments) == 3 else 0
    _require_position(text, start)
    budget.search(text, part)
    return text.find(part, start)


def _last_index_of(arguments: Sequence[Value], budget: Budget) -> Value:
    if isinstance(arguments[0], list) and len(arguments) == 2:
        position = _first_position(arguments[0][::-1], arguments[1], budget)
        return position if position < 0 else len(arguments[0]) - 1 - position
    text, part = texts_in(arguments[:2])
    start = whole_in(arguments[2]) if len(arguments) == 3 else len(text)
    _require_position(text, start)
    budget.search(text, part)
    budget.allocate(len(text) + len(part))
    # Only the search from the left is linear, so the last is the first of the mirrored.
    mirrored = text[: start + len(part)][::-1].find(part[::-1])
    return -1 if mirrored < 0 else min(start + len(part), len(text)) - mirrored - len(part)


def _first_position(items: list[object], value: Value, budget: Budget) -> int:
    for position, item in enumerate(items):
        budget.spend(COMPARISON_STEPS)
        if equal(adopt(item), value, budget):
            return position
    return -1


def _require_position(text: str, position: int) -> None:
    if not 0 <= position <= len(text):
        raise EvaluationError(
            f"No hay posición {position} en un texto de {len(text)} caracteres.",
            f"There is no position {position} in a text of {len(text)} characters.",
        )


def _reverse(arguments: Sequence[Value], budget: Budget) -> Value:
    (value,) = arguments
    if isinstance(value, list):
        budget.allocate_members(len(value))
        return value[::-1]
    text = text_in(value)
    budget.allocate_text(len(text))
    return text[::-1]


def _quote(arguments: Sequence[Value], budget: Budget) -> Value:
    text = text_in(arguments[0])
    budget.scan(len(text) * 4)
    budget.allocate_text(len(text) * 2 + 2)
    for character, escaped in _QUOTED.items():
        text = text.replace(character, escaped)
    return f'"{text}"'


def _padded(arguments: Sequence[Value], budget: Budget, *, at_start: bool) -> Value:
    text, width = text_in(arguments[0]), whole_in(arguments[1])
    fill = text_in(arguments[2]) if len(arguments) == 3 else " "
    if len(fill) != 1:
        raise EvaluationError("El relleno es un solo carácter.", "The filling is a single character.")
    budget.allocate_text(max(len(text), width))
    return text.rjust(width, fill) if at_start else text.ljust(width, fill)


def _pad_start(arguments: Sequence[Value], budget: Budget) -> Value:
    return _padded(arguments, budget, at_start=True)


def _pad_end(arguments: Sequence[Value], budget: Budget) -> Value:
    return _padded(arguments, budget, at_start=False)


def _truncate(arguments: Sequence[Value], budget: Budget) -> Value:
    text, length = text_in(arguments[0]), whole_in(arguments[1])
    ending = text_in(arguments[2]) if len(arguments) == 3 else "…"
    if length < len(ending):
        raise EvaluationError(
            f"En {length} caracteres no cabe ni «{ending[:60]}».",
            f"Not even “{ending[:60]}” fits in {length} characters.",
        )
    budget.allocate_text(min(length, len(text)))
    return text if len(text) <= length else text[: length - len(ending)] + ending


def _url_encode(arguments: Sequence[Value], budget: Budget) -> Value:
    text = text_in(arguments[0])
    budget.allocate_text(len(text) * 3 if text.isascii() else len(text) * 12)
    budget.spend(len(text))
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise EvaluationError("El texto no es Unicode válido.", "The text is not valid Unicode.") from None


FUNCTIONS: dict[str, Function] = {"strings.quote": Function(1, 1, _quote)}
METHODS: dict[str, Function] = {
    "contains": Function(1, 1, contains),
    "startsWith": Function(1, 1, _starts_with),
    "endsWith": Function(1, 1, _ends_with),
    "lowerAscii": Function(0, 0, _changed(_lower_ascii)),
    "upperAscii": Function(0, 0, _changed(_upper_ascii)),
    "trim": Function(0, 0, _changed(_trim)),
    "replace": Function(2, 3, _replace),
    "split": Function(1, 2, _split),
    "join": Function(0, 1, _join),
    "substring": Function(1, 2, _substring),
    "charAt": Function(1, 1, _char_at),
    "indexOf": Function(1, 2, _index_of),
    "lastIndexOf": Function(1, 2, _last_index_of),
    "reverse": Function(0, 0, _reverse),
}
EITHER: dict[str, Function] = {
    "lower": Function(1, 1, _changed(str.lower, growth=3)),
    "upper": Function(1, 1, _changed(str.upper, growth=3)),
    "title": Function(1, 1, _changed(str.title, growth=3)),
    "unaccent": Function(1, 1, _changed(_without_accents, growth=3)),
    "padStart": Function(2, 3, _pad_start),
    "padEnd": Function(2, 3, _pad_end),
    "truncate": Function(2, 3, _truncate),
    "urlEncode": Function(1, 1, _url_encode),
}
