"""What a file is, by its content: names and declared types are what somebody says, and may be wrong or meant to be."""

import io
import re
import zipfile
from typing import Final

UNKNOWN: Final = "application/octet-stream"
#: Of the list of an archive's files, which takes some 50 bytes a file and a name.
_DIRECTORY_BYTES: Final = 1 << 20
_SIGNATURES: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"BM", "image/bmp"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypheic", "image/heic"),
    (4, b"ftypmif1", "image/heif"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"\x1f\x8b", "application/gzip"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
)
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_PARTS: Final = {
    "word/": f"{_OFFICE}wordprocessingml.document",
    "xl/": f"{_OFFICE}spreadsheetml.sheet",
    "ppt/": f"{_OFFICE}presentationml.presentation",
}
#: As much as may stand before the signature of a PDF.
_HEAD_BYTES: Final = 1024
_TEXT_BYTES: Final = 4096
_DOCUMENT_TYPE: Final = re.compile(rb"application/[a-z0-9.+-]{1,100}")
_HTML: Final = re.compile(rb"<(!doctype html|html|head|body|title|script|table|div|p|h1)[\s>]", re.IGNORECASE)
_TAG: Final = re.compile(rb"<[?!a-z_]", re.IGNORECASE)
_SVG: Final = re.compile(rb"<svg[\s>]", re.IGNORECASE)
_EMAIL: Final = re.compile(
    rb"(received|return-path|from|to|subject|date|mime-version|message-id|delivered-to|dkim-signature|x-[a-z-]+): ?\S",
    re.IGNORECASE,
)


def media_type_of(content: bytes) -> str:
    """`application/octet-stream` for what is not known."""
    if b"%PDF-" in content[:_HEAD_BYTES]:
        return "application/pdf"
    if content.startswith(b"PK\x03\x04"):
        return _zipped(content)
    for place, signature, media_type in _SIGNATURES:
        if content.startswith(signature, place):
            return media_type
    return _text(content)


class _InPieces(io.BytesIO):
    """What an archive says of itself is read at once, however long: a hostile one would take seconds and memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _DIRECTORY_BYTES:
            raise OSError("a directory too long for a document")
        return super().read(size)


def _zipped(content: bytes) -> str:
    """What an archive holds: a document of an office, or just files."""
    try:
        with zipfile.ZipFile(_InPieces(content)) as archive:
            first = archive.infolist()[0]
            if first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED:
                stated = archive.open(first).read(200)
                return stated.decode() if _DOCUMENT_TYPE.fullmatch(stated) else "application/zip"
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, IndexError):
        return "application/zip"
    if "[Content_Types].xml" not in names:
        return "application/zip"
    kinds = (kind for part, kind in _PARTS.items() if any(name.startswith(part) for name in names))
    return next(kinds, "application/zip")


def _text(content: bytes) -> str:
    head = content[:_TEXT_BYTES]
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "ignore").encode()
    head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head or any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head):
        return UNKNOWN
    if _EMAIL.match(head):
        return "message/rfc822"
    return _marked_up(head) if head.startswith(b"<") else "application/json" if head[:1] in b"{[" else "text/plain"


def _marked_up(head: bytes) -> str:
    if _SVG.search(head):
        return "image/svg+xml"
    if _HTML.search(head[:_HEAD_BYTES]) and not head.startswith(b"<?xml"):
        return "text/html"
    return "application/xml" if _TAG.match(head) else "text/plain"
