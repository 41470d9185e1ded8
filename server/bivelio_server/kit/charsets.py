"""Which character set bytes are in, as far as that is believed."""

import codecs
import re
from typing import Final

_CHARSET: Final = re.compile(r"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
#: Decoded as what they say; some other codecs of Python can be made to work for hours.
_KNOWN: Final = frozenset({"utf-8", "ascii", "iso8859-1", "iso8859-15", "cp1252"})


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
