"""How a file of a kind is read."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from bivelio_server.kit.media_types import (
    CSV,
    DOCX,
    EML,
    HTML,
    JPEG,
    JSON,
    ODS,
    ODT,
    PDF,
    PLAIN,
    PNG,
    PPTX,
    RTF,
    SVG,
    TIFF,
    UNKNOWN,
    WEBP,
    XLSX,
    XML,
)
from bivelio_server.reading.child.sniffing import sniffed
from bivelio_server.reading.child.task import Task, refuse
from bivelio_server.reading.port import Reading

_MODULES: Final[Mapping[str, str]] = {
    PDF: "pdf",
    **dict.fromkeys((PNG, JPEG, TIFF, WEBP), "images"),
    **dict.fromkeys((DOCX, XLSX, PPTX, ODT, ODS, RTF), "office"),
    HTML: "html",
    EML: "mail",
    **dict.fromkeys((XML, SVG, JSON, CSV, PLAIN), "plain"),
}
_NAMES: Final = "PDF, PNG, JPEG, TIFF, WebP, DOCX, XLSX, PPTX, ODT, ODS, RTF, HTML, EML, XML, JSON, CSV, TXT"
#: Names that promise something else than text. One of them is read as another (a JPEG called .png, a DOCX called .pdf);
#: a page of HTML called .pdf is what a failed download leaves.
_NO_TEXT: Final = frozenset(
    ("pdf", "png", "jpg", "jpeg", "tif", "tiff", "webp", "docx", "xlsx", "pptx", "odt", "ods")
)  # fmt: skip
_TEXTS: Final = frozenset((HTML, EML, XML, SVG, JSON, CSV, PLAIN, UNKNOWN))


def read(task: Task) -> Reading:
    """Raises Refused. Only what reads this kind of file is loaded: all of it would take a second of processor."""
    mime_type = sniffed(task)
    if mime_type in _TEXTS and task.extension in _NO_TEXT:
        refuse("file_name", named=task.extension, found=mime_type)
    if mime_type not in _MODULES:
        refuse("mime_type", found=mime_type, allowed=_NAMES)
    module = import_module(f"bivelio_server.reading.child.{_MODULES[mime_type]}")
    reading: Reading = module.read(task, mime_type)
    return reading
