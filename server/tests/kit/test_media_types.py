"""What a file is, told in the server's own process: so nothing in a file may make that long."""

import io
import time
import zipfile

from bivelio_server.kit.media_types import media_type_of

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


def test_an_archive_of_very_many_files_is_not_gone_through() -> None:
    content = archive(25_000)
    start = time.process_time()

    assert media_type_of(content) == "application/zip"
    assert time.process_time() - start < 0.05
