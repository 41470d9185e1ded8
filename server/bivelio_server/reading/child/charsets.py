"""Bytes of no known character set as text."""

import codecs
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS: Final = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f\x1b") | {"\x7f"}


def decoded_text(content: bytes, *, cut: bool = False) -> str | None:
    """UTF-8 or what its byte order mark says; else Windows-1252, which is what old files here are in.

    None if that makes no text. If it may be `cut`, a character that was cut in two at the end is left out.
    """
    for mark, charset in _MARKS:
        if content.startswith(mark):
            return _text(content, charset, cut=cut)
    text = _text(content, "utf-8", cut=cut)
    return text if text is not None else _text(content, "cp1252", cut=cut)


def _text(content: bytes, charset: str, *, cut: bool) -> str | None:
    try:
        text = codecs.getincrementaldecoder(charset)().decode(content, not cut)
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.intersection(text) else text
