"""Patterns in RE2's syntax: no text makes them take more than linear time, and that is paid for."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import re2

from bivelio_server.workflows.expressions.errors import EvaluationError, shown
from bivelio_server.workflows.expressions.functions.arguments import Function, texts_in, whole_in
from bivelio_server.workflows.expressions.limits import (
    MATCH_STEPS,
    MAX_PATTERN,
    MEMBER_BYTES,
    PATTERN_MEMORY,
    PATTERN_STEPS,
    PATTERN_WORK_PER_STEP,
    Budget,
)
from bivelio_server.workflows.expressions.values import NONE, Maybe, Value

_GROUP = re.compile(r"\\([0-9\\])|\\")


class _Match(NamedTuple):
    """Where in the encoded text, and the groups; the first is the whole."""

    start: int
    end: int
    groups: tuple[bytes | None, ...]


class _Pattern(NamedTuple):
    search: Callable[[bytes, int], _Match | None]
    work: int
    """Instructions of the compiled program: what one byte of text may cost."""
    groups: int


def matches(arguments: Sequence[Value], budget: Budget) -> Value:
    text, pattern = texts_in(arguments)
    return next(_found(_compiled(pattern, budget), _encoded(text), budget), None) is not None


def _extract(arguments: Sequence[Value], budget: Budget) -> Value:
    """What the pattern, or its only group, is in the text."""
    text, source = texts_in(arguments)
    pattern = _compiled(source, budget)
    _require_one_group(pattern, source)
    match = next(_found(pattern, _encoded(text), budget), None)
    held = match.groups[-1] if match else None
    return NONE if held is None else Maybe(True, _decoded(held, budget))


def _extract_all(arguments: Sequence[Value], budget: Budget) -> Value:
    text, source = texts_in(arguments)
    pattern = _compiled(source, budget)
    _require_one_group(pattern, source)
    results: list[object] = []
    budget.allocate_members(0)
    for match in _found(pattern, _encoded(text), budget):
        held = match.groups[-1]
        if held is not None:
            budget.allocate(MEMBER_BYTES)
            results.append(_decoded(held, budget))
    return results


def _replace(arguments: Sequence[Value], budget: Budget) -> Value:
    text, source, replacement = texts_in(arguments[:3])
    limit = whole_in(arguments[3]) if len(arguments) == 4 else -1
    pattern, encoded = _compiled(source, budget), _encoded(text)
    pieces = _pieces(replacement, pattern)
    budget.allocate_text(len(encoded))
    built: list[bytes] = []
    position = 0
    for count, match in enumerate(_found(pattern, encoded, budget)):
        if count == limit:
            break
        budget.spend(2 * len(pieces))
        new = b"".join((match.groups[piece] or b"") if isinstance(piece, int) else piece for piece in pieces)
        budget.allocate(len(new) + 2 * MEMBER_BYTES)
        built += (encoded[position : match.start], new)
        position = match.end
    return _decoded(b"".join((*built, encoded[position:])), budget)


def _pieces(replacement: str, pattern: _Pattern) -> list[bytes | int]:
    r"""The replacement cut at its references to groups, `\1`; `\\` is a backslash."""
    pieces: list[bytes | int] = []
    position = 0
    for match in _GROUP.finditer(replacement):
        pieces.append(_encoded(replacement[position : match.start()]))
        pieces.append(b"\\" if match[1] == "\\" else _group(match[1], replacement, pattern))
        position = match.end()
    return [*pieces, _encoded(replacement[position:])]


def _group(digit: str | None, replacement: str, pattern: _Pattern) -> int:
    if digit is None or int(digit) > pattern.groups:
        raise EvaluationError(
            f"«{shown(replacement)}» nombra un grupo que el patrón no tiene.",
            f"“{shown(replacement)}” names a group that the pattern does not have.",
        )
    return int(digit)


def _found(pattern: _Pattern, text: bytes, budget: Budget) -> Iterator[_Match]:
    """The matches from the left, each paid for as if it had read the whole rest of the text."""
    position = 0
    while position <= len(text):
        budget.spend(MATCH_STEPS + 2 * pattern.groups + pattern.work * (len(text) - position) // PATTERN_WORK_PER_STEP)
        match = pattern.search(text, position)
        if match is None:
            return
        yield match
        position = match.end if match.end > match.start else _next_character(text, match.end)


def _next_character(text: bytes, position: int) -> int:
    position += 1
    while position < len(text) and text[position] & 0xC0 == 0x80:
        position += 1
    return position


def _compiled(source: str, budget: Budget) -> _Pattern:
    budget.spend(MATCH_STEPS)
    if source not in budget.patterns:
        budget.spend(PATTERN_STEPS)
        budget.patterns.add(source)
    compiled = _pattern(source) if len(source) <= MAX_PATTERN else None
    if compiled is None:
        raise EvaluationError(
            f"«{shown(source)}» no es un patrón RE2 o es demasiado grande.",
            f"“{shown(source)}” is not an RE2 pattern or is too large.",
        )
    return compiled


@lru_cache(maxsize=64)
def _pattern(source: str) -> _Pattern | None:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        program = re2.compile(source.encode(), options)
    except (re2.error, UnicodeEncodeError):
        return None

    def search(text: bytes, position: int) -> _Match | None:
        match = program.search(text, position)
        return match and _Match(match.start(), match.end(), (match.group(), *match.groups()))

    return _Pattern(search, int(program.programsize), int(program.groups))


def _require_one_group(pattern: _Pattern, source: str) -> None:
    if pattern.groups > 1:
        raise EvaluationError(
            f"«{shown(source)}» tiene más de un grupo.", f"“{shown(source)}” has more than one group."
        )


def _encoded(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise EvaluationError("El texto no es Unicode válido.", "The text is not valid Unicode.") from None


def _decoded(part: bytes, budget: Budget) -> str:
    budget.allocate_text(len(part))
    try:
        return part.decode()
    except UnicodeDecodeError:
        raise EvaluationError(
            "El patrón corta un carácter por la mitad.", "The pattern cuts a character in half."
        ) from None


FUNCTIONS: dict[str, Function] = {
    "matches": Function(2, 2, matches),
    "regex.extract": Function(2, 2, _extract),
    "regex.extractAll": Function(2, 2, _extract_all),
    "regex.replace": Function(3, 4, _replace),
}
METHODS: dict[str, Function] = {"matches": Function(1, 1, matches)}
EITHER: dict[str, Function] = {}
