"""How a file of a kind is read."""

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from bivelio_server.reading.child import sniffing
from bivelio_server.reading.child.sniffing import CSV, DOCX, EML, HTML, JSON, ODS, ODT, PLAIN, PPTX, RTF, XLSX, XML
from bivelio_server.reading.child.task import Task, refuse
from bivelio_server.reading.port import Reading

_MODULES: Final[Mapping[str, str]] = {
    "application/pdf": "pdf",
    **dict.fromkeys(("image/png", "image/jpeg", "image/tiff", "image/webp"), "images"),
    **dict.fromkeys((DOCX, XLSX, PPTX, ODT, ODS, RTF), "office"),
    HTML: "html",
    EML: "mail",
    **dict.fromkeys((XML, JSON, CSV, PLAIN), "plain"),
}
_NAMES: Final = "PDF, PNG, JPEG, TIFF, WebP, DOCX, XLSX, PPTX, ODT, ODS, RTF, HTML, EML, XML, JSON, CSV, TXT"
#: Names that promise something else than text. One of them is read as another (a JPEG called .png, a DOCX called .pdf);
#: a page of HTML called .pdf is what a failed download leaves.
_NO_TEXT: Final = frozenset(
    ("pdf", "png", "jpg", "jpeg", "tif", "tiff", "webp", "docx", "xlsx", "pptx", "odt", "ods")
)  # fmt: skip
_TEXTS: Final = frozenset((HTML, EML, XML, JSON, CSV, PLAIN, sniffing.UNKNOWN))


def read(task: Task) -> Reading:
    """Raises Refused. Only what reads this kind of file is loaded: all of it would take a second of processor."""
    mime_type = sniffing.sniffed(task.content, task.extension)
    if mime_type in _TEXTS and task.extension in _NO_TEXT:
        refuse("file_name", named=task.extension, found=mime_type)
    if mime_type not in _MODULES:
        refuse("mime_type", found=mime_type, allowed=_NAMES)
    module = import_module(f"bivelio_server.reading.child.{_MODULES[mime_type]}")
    reading: Reading = module.read(task, mime_type)
    return reading
