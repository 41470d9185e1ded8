"""Office files, by kreuzberg, which is kept behind this module."""

import re
from typing import Final

import kreuzberg

from bivelio_server.reading.child.sniffing import MAX_UNPACKED
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import without_pages
from bivelio_server.reading.port import Reading

ENGINE: Final = "kreuzberg"
_CONFIG: Final = kreuzberg.ExtractionConfig(use_cache=False)
_IMAGE: Final = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def read(task: Task, mime_type: str) -> Reading:
    try:
        text = kreuzberg.extract_bytes_sync(task.content, mime_type, config=_CONFIG).content
    except kreuzberg.KreuzbergError as error:
        refuse("max_bytes" if "ecurity limit" in str(error) else "damaged", allowed=MAX_UNPACKED)
    check_text(len(text))
    return without_pages(mime_type, _IMAGE.sub("", text), ENGINE)
