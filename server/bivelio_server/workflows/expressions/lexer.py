"""Source text into tokens. The patterns are linear: exclusive alternatives, possessive repetitions."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from bivelio_server.workflows.expressions.errors import ExpressionSyntaxError
from bivelio_server.workflows.expressions.hints import hint

_TOKENS = re.compile(
    r"""
    (?P<space>    (?: [ \t\r\n\f] | //[^\n]*+ )++ )
  | (?P<raw>      [rR] (?: \"{3}(?:(?!\"{3})[\s\S])*+\"{3} | '{3}(?:(?!'{3})[\s\S])*+'{3}
                         | "[^"\r\n]*+" | '[^'\r\n]*+' ) )
  | (?P<string>   \"{3}(?:\\[\s\S]|(?!\"{3})[^\\])*+\"{3} | '{3}(?:\\[\s\S]|(?!'{3})[^\\])*+'{3}
                | "(?:\\.|[^"\\\r\n])*+" | '(?:\\.|[^'\\\r\n])*+' )
  | (?P<number>   0[xX][0-9a-fA-F]++
                | (?: [0-9]++(?:\.[0-9]++)? | \.[0-9]++ ) (?:[eE][+-]?[0-9]++)? )
  | (?P<name>     [A-Za-z_][A-Za-z0-9_]*+ )
  | (?P<operator> && | \|\| | [<>=!]= | [-+*/%<>!?:.,()\[\]{}] )
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"""\\(?: [xX](?P<hex>[0-9a-fA-F]{2}) | u(?P<short>[0-9a-fA-F]{4}) | U(?P<long>[0-9a-fA-F]{8})
            | (?P<octal>[0-3][0-7]{2}) | (?P<plain>[abfnrtv\\?"'`]) | (?P<wrong>[\s\S]) )""",
    re.VERBOSE,
)
_PLAIN_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token(NamedTuple):
    """`kind` is string, number, name, end, or the operator itself; `text` of a string is its value."""

    kind: str
    text: str
    start: int


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` (positions count from 0) and a last one of kind `end`."""
    position = start
    while position < len(source):
        match = _TOKENS.match(source, position)
        if match is None:
            raise _unexpected(source, position)
        position = match.end()
        kind = match.lastgroup
        if kind != "space":
            yield _token(kind or "", match)
    yield Token("end", "", position)


def _token(kind: str, match: re.Match[str]) -> Token:
    text, start = match.group(), match.start()
    if kind == "operator":
        return Token(text, text, start)
    if kind == "raw":
        return Token("string", _without_nul(_body(text[1:]), start), start)
    if kind == "string":
        body = _body(text)
        return Token("string", _unescaped(body, start) if "\\" in body else _without_nul(body, start), start)
    if kind == "number":
        _refuse_suffix(match)
    return Token(kind, text, start)


def _body(quoted: str) -> str:
    width = 3 if quoted[:3] in {'"""', "'''"} and len(quoted) >= 6 else 1
    return quoted[width:-width]


def _unescaped(body: str, start: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        if plain := match["plain"]:
            return _PLAIN_ESCAPES.get(plain, plain)
        if octal := match["octal"]:
            return _character(int(octal, 8), start)
        digits = match["hex"] or match["short"] or match["long"]
        if digits is None:
            raise _bad_escape(match[0], start)
        return _character(int(digits, 16), start)

    return _without_nul(_ESCAPE.sub(replaced, body), start)


def _character(code: int, start: int) -> str:
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise _bad_escape(f"{code:X}", start)
    return chr(code)


def _without_nul(text: str, start: int) -> str:
    """PostgreSQL stores no NUL, so a text may not start holding one here."""
    if "\0" in text:
        raise _bad_escape("\\0", start)
    return text


def _refuse_suffix(number: re.Match[str]) -> None:
    source, end = number.string, number.end()
    if end < len(source) and (source[end].isalnum() or source[end] == "_"):
        raise ExpressionSyntaxError("El número está mal escrito.", "The number is malformed.", number.start() + 1)


def _bad_escape(escape: str, start: int) -> ExpressionSyntaxError:
    return ExpressionSyntaxError(
        f"El texto contiene un escape no admitido: «{escape}».",
        f"The string contains an escape that is not allowed: “{escape}”.",
        start + 1,
    )


def _unexpected(source: str, position: int) -> ExpressionSyntaxError:
    character = source[position]
    if character in "\"'":
        return ExpressionSyntaxError("Falta cerrar el texto.", "The string is not closed.", position + 1)
    es, en = hint(character)
    return ExpressionSyntaxError(f"No se esperaba «{character}»{es}.", f"Unexpected “{character}”{en}.", position + 1)
