"""What a file is, told in the server's own process: so nothing in a file may make that long."""

import io
import time
import zipfile

import pytest

from bivelio_server.kit.media_types import extension_of, media_type_of

WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def archive(parts: int) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("[Content_Types].xml", "x")
        for number in range(parts):
            made.writestr(f"word/{number}", "")
    return content.getvalue()


def test_a_document_of_an_office_is_told_from_other_archives() -> None:
    assert media_type_of(archive(3)) == WORD
    assert media_type_of(archive(0)) == "application/zip"


@pytest.mark.parametrize(
    ("content", "name", "media_type"),
    [
        (b"\n%PDF-1.7", "", "application/pdf"),
        (b"BM\x36\x00\x0c\x00" + bytes(20), "", "image/bmp"),
        (b"BMW;12,10\nAudi;9,00\n", "", "text/csv"),
        (b"MZ\x90\x00", "", "application/vnd.microsoft.portable-executable"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "", "image/webp"),
        (b"From: Ana\nTo: Eva\n\nHola", "carta.txt", "text/plain"),
        (b"From: Ana\nTo: Eva\nSubject: x\n\nHola", "", "message/rfc822"),
        (b"a,b,c", "lista.CSV", "text/csv"),
        (b'<?xml version="1.0"?><svg width="1"/>', "", "image/svg+xml"),
        (b'<?xml version="1.0"?><a><svg /></a>', "", "application/xml"),
        ("<html>Señal".encode("utf-16"), "", "text/html"),
        (bytes(range(256)), "", "application/octet-stream"),
        (b"", "", "text/plain"),
    ],
)
def test_a_file_is_what_is_in_it(content: bytes, name: str, media_type: str) -> None:
    assert media_type_of(content, extension_of(name)) == media_type


def test_an_archive_of_very_many_files_is_not_gone_through() -> None:
    content = archive(25_000)
    start = time.process_time()

    assert media_type_of(content) == "application/zip"
    assert time.process_time() - start < 0.05
