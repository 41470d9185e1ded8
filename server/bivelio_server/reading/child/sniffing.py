"""What a file is, by what is in it. Its name only tells texts apart."""

import io
import re
import zipfile
from typing import Final

from bivelio_server.reading.child.charsets import decoded_text
from bivelio_server.reading.child.task import refuse

UNKNOWN: Final = "application/octet-stream"
_OOXML: Final = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX, PPTX = (
    f"{_OOXML}wordprocessingml.document", f"{_OOXML}spreadsheetml.sheet", f"{_OOXML}presentationml.presentation",
)  # fmt: skip
ODT, ODS = "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet"
EML, HTML, RTF, XML = "message/rfc822", "text/html", "application/rtf", "application/xml"
JSON, CSV, PLAIN = "application/json", "text/csv", "text/plain"

_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"{\\rtf", RTF),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-executable"),
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
#: Readers look for the beginning of a PDF this far.
_PDF_WITHIN: Final = 1024
_MAX_ENTRIES: Final = 10_000
#: Bytes that an office file may take once unpacked.
MAX_UNPACKED: Final = 300_000_000
_HEAD: Final = 8192
_HTML: Final = re.compile(r"(?is)\s*(<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*+<(!doctype\s+html|html|head|body)\b")
_XML: Final = re.compile(r"\s*<(\?xml\s|[A-Za-z_][\w.:-]*[\s/>]|!--|!doctype\s)", re.IGNORECASE)
_HEADER: Final = re.compile(r"(?i)(From|To|Subject|Date|Received|Return-Path|MIME-Version|Message-ID|Delivered-To):")
_OTHER_HEADER: Final = re.compile(r"^([\w-]+:|[ \t])")
#: A letter may begin with `From:` and `To:`.
_FEW_HEADERS: Final = 3
_BY_EXTENSION: Final = {"csv": CSV, "tsv": CSV, "json": JSON, "eml": EML, "htm": HTML, "html": HTML}


def sniffed(content: bytes, extension: str) -> str:
    """The MIME type. Raises Refused for what is encrypted, or unpacks to too much."""
    if b"%PDF-" in content[:_PDF_WITHIN]:
        return "application/pdf"
    if content.startswith(_ZIP):
        return _in_zip(content)
    if content.startswith(_OLE):
        return _in_ole(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    for beginning, mime_type in _BEGINNINGS:
        if content.startswith(beginning):
            return mime_type
    text = decoded_text(content[:_HEAD], cut=len(content) > _HEAD)
    return UNKNOWN if text is None else _kind_of_text(text, extension)


def _in_zip(content: bytes) -> str:
    """An office file is a ZIP with certain entries."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()[:_MAX_ENTRIES]
            _check_entries(entries)
            names = {entry.filename for entry in entries}
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
                return archive.read("mimetype").decode("ascii", "replace").strip()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError):
        refuse("damaged")
    if "[Content_Types].xml" in names:
        for folder, mime_type in (("word/", DOCX), ("xl/", XLSX), ("ppt/", PPTX)):
            if any(name.startswith(folder) for name in names):
                return mime_type
    return "application/zip"


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if any(entry.flag_bits & 1 for entry in entries):
        refuse("encrypted")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        refuse("max_bytes", allowed=MAX_UNPACKED)


def _in_ole(content: bytes) -> str:
    """Office files that are protected by a password are wrapped in the old format."""
    if "EncryptedPackage".encode("utf-16-le") in content:
        refuse("encrypted")
    return "application/x-ole-storage"


def _kind_of_text(text: str, extension: str) -> str:
    if _HTML.match(text):
        return HTML
    if _XML.match(text):
        return HTML if extension in ("htm", "html") else XML
    if _is_mail(text):
        return EML
    if extension in _BY_EXTENSION:
        return _BY_EXTENSION[extension]
    if text.lstrip()[:1] in ("{", "["):
        return JSON
    return CSV if _is_table(text) else PLAIN


def _is_mail(text: str) -> bool:
    """Several headers of e-mail, before anything that is none."""
    found = 0
    for line in text.lstrip().splitlines()[:60]:
        if not _OTHER_HEADER.match(line):
            break
        found += bool(_HEADER.match(line))
    return found >= _FEW_HEADERS


def _is_table(text: str) -> bool:
    """The same number of separators in every one of several lines."""
    lines = text.strip().splitlines()[:20][: -1 if len(text) >= _HEAD else None]
    return len(lines) > 1 and any(
        len({line.count(separator) for line in lines}) == 1 and separator in lines[0] for separator in ";\t,"
    )
