"""Which character set bytes are in, as far as that is believed."""

import codecs
import re
from typing import Final

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
#: Decoded as what they say; some other codecs of Python can be made to work for hours.
_KNOWN: Final = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"})
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS: Final = frozenset(map(chr, range(32))) - frozenset("\t\n\r\f\x1b") | {"\x7f"}


def charset_of(content_type: str) -> str:
    """The codec for what has this Content-Type: UTF-8 unless it names another that we know."""
    named = _CHARSET.search(content_type)
    try:
        charset = codecs.lookup(named.group(1)).name if named else "utf-8"
    except LookupError:
        return "utf-8"
    return charset if charset in _KNOWN else "utf-8"


def decoded(body: bytes, content_type: str, *, cut: bool = False) -> str | None:
    """The body as text; None when it is none, or holds NUL, which PostgreSQL does not keep.

    If it may be `cut`, a character that was cut in two at the end is left out.
    """
    try:
        text = codecs.getincrementaldecoder(charset_of(content_type))().decode(body, not cut)
    except UnicodeDecodeError:
        return None
    return None if "\x00" in text else text


def text_in(content: bytes, *, cut: bool = False) -> str | None:
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
