"""Office files and HTML, by kreuzberg, which is kept behind this module."""

import re
from typing import Final

import kreuzberg

from bivelio_server.reading.child.charsets import decoded_text
from bivelio_server.reading.child.sniffing import HTML, MAX_UNPACKED
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import without_pages
from bivelio_server.reading.port import Reading

ENGINE: Final = "kreuzberg"
_CONFIG: Final = kreuzberg.ExtractionConfig(use_cache=False)
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_DECLARED: Final = re.compile(rb"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


def read(task: Task, mime_type: str) -> Reading:
    content = _in_utf8(task.content) if mime_type == HTML else task.content
    return without_pages(mime_type, text_of(content, mime_type), ENGINE)


def text_of(content: bytes, mime_type: str) -> str:
    """Raises Refused."""
    try:
        text = kreuzberg.extract_bytes_sync(content, mime_type, config=_CONFIG).content
    except kreuzberg.KreuzbergError as error:
        refuse("max_bytes" if "ecurity limit" in str(error) else "damaged", allowed=MAX_UNPACKED)
    check_text(len(text))
    return _IMAGE.sub("", text)


def _in_utf8(content: bytes) -> bytes:
    """HTML says itself what it is in, sometimes."""
    declared = _DECLARED.search(content[:2048])
    try:
        return content.decode(declared.group(1).decode() if declared else "utf-8").encode()
    except (LookupError, UnicodeDecodeError):
        text = decoded_text(content)
    if text is None:
        refuse("damaged")
    return text.encode()
