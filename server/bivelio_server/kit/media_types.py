"""What a file is, by its content: names and declared types are what somebody says, and may be wrong or meant to be.

A name only tells texts apart. Nothing here goes through much of a file, whatever it says of itself.
"""

import io
import re
import zipfile
import zlib
from typing import Final

from bivelio_server.kit.charsets import text_in

UNKNOWN: Final = "application/octet-stream"
PDF, PNG, JPEG, TIFF, WEBP = "application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp"
_OOXML: Final = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX, PPTX = (
    f"{_OOXML}wordprocessingml.document", f"{_OOXML}spreadsheetml.sheet", f"{_OOXML}presentationml.presentation",
)  # fmt: skip
ODT, ODS = "application/vnd.oasis.opendocument.text", "application/vnd.oasis.opendocument.spreadsheet"
ZIP, OLE = "application/zip", "application/x-ole-storage"
EML, HTML, RTF, XML, SVG = "message/rfc822", "text/html", "application/rtf", "application/xml", "image/svg+xml"
JSON, CSV, PLAIN = "application/json", "text/csv", "text/plain"

#: What stands at which place. Two letters alone would be the beginning of many a text.
_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"PK\x03\x04", ZIP),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OLE),
    (0, b"\x89PNG\r\n\x1a\n", PNG),
    (0, b"\xff\xd8\xff", JPEG),
    (0, b"II*\0", TIFF),
    (0, b"MM\0*", TIFF),
    (8, b"WEBP", WEBP),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (0, b"{\\rtf", RTF),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"\x7fELF", "application/x-executable"),
)
#: The same for what is no text: two letters are enough then.
_BINARY_SIGNATURES: Final = (
    (b"BM", "image/bmp"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
)
_PARTS: Final = {"word/": DOCX, "xl/": XLSX, "ppt/": PPTX}
#: How an archive says what it is; the other ways to pack are no office's.
_PACKED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_STATED: Final = re.compile(rb"application/[a-z0-9.+-]{1,100}")
#: Of the list of an archive's files, which takes some 50 bytes a file and a name.
_DIRECTORY_BYTES: Final = 1 << 20
#: Readers look for the beginning of a PDF this far.
_PDF_WITHIN: Final = 1024
_HEAD_BYTES: Final = 8192
_HTML: Final = re.compile(r"(?is)\s*(<\?xml[^>]*>\s*)?(?><!--.*?-->\s*)*+<(!doctype\s+html|html|head|body)\b")
_XML: Final = re.compile(r"\s*<(\?xml\s|[A-Za-z_][\w.:-]*[\s/>]|!--|!doctype\s)", re.IGNORECASE)
_SVG: Final = re.compile(r"(?is)\s*(<\?xml[^>]*>\s*)?(<!doctype[^>]*>\s*)?(?><!--.*?-->\s*)*+<svg[\s>]")
_HEADER: Final = re.compile(r"(?i)(From|To|Subject|Date|Received|Return-Path|MIME-Version|Message-ID|Delivered-To):")
_OTHER_HEADER: Final = re.compile(r"^([\w-]+:|[ \t])")
#: A letter may begin with `From:` and `To:`.
_FEW_HEADERS: Final = 3
_BY_EXTENSION: Final = {"csv": CSV, "tsv": CSV, "json": JSON, "eml": EML, "htm": HTML, "html": HTML}


def extension_of(filename: str) -> str:
    """What follows the last dot of a name, in small letters."""
    _, dot, extension = filename.rpartition(".")
    return extension.lower() if dot else ""


def media_type_of(content: bytes, extension: str = "") -> str:
    """`application/octet-stream` for what is not known."""
    if b"%PDF-" in content[:_PDF_WITHIN]:
        return PDF
    for place, signature, media_type in _SIGNATURES:
        if content.startswith(signature, place):
            return _in_zip(content) if media_type == ZIP else media_type
    text = text_in(content[:_HEAD_BYTES], cut=len(content) > _HEAD_BYTES)
    if text is None:
        return next((kind for letters, kind in _BINARY_SIGNATURES if content.startswith(letters)), UNKNOWN)
    return _kind_of_text(text, extension)


class _InPieces(io.BytesIO):
    """What an archive says of itself is read at once, however long: a hostile one would take seconds and memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise OSError("a directory too long for a document")
        return super().read(size)


def _in_zip(content: bytes) -> str:
    """What an archive holds: a document of an office, or just files."""
    try:
        with zipfile.ZipFile(_InPieces(content)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").compress_type in _PACKED:
                stated = archive.open("mimetype").read(200)
                return stated.decode() if _STATED.fullmatch(stated) else ZIP
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error):
        return ZIP
    if "[Content_Types].xml" not in names:
        return ZIP
    kinds = (kind for part, kind in _PARTS.items() if any(name.startswith(part) for name in names))
    return next(kinds, ZIP)


def _kind_of_text(text: str, extension: str) -> str:
    if _HTML.match(text):
        return HTML
    if _XML.match(text):
        return HTML if extension in ("htm", "html") else SVG if _SVG.match(text) else XML
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
    lines = text.strip().splitlines()[:20][: -1 if len(text) >= _HEAD_BYTES else None]
    return len(lines) > 1 and any(
        len({line.count(separator) for line in lines}) == 1 and separator in lines[0] for separator in ";\t,"
    )
