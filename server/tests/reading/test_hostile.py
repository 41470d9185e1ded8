"""Files made to break what reads them, and files that are broken: each a clear refusal, in both languages, and quick.

Those that take time and memory are in `test_child.py`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from reportlab.lib import pdfencrypt

from bivelio_server.reading.port import Limits, Unreadable
from bivelio_server.reading.process import ChildReader
from tests.reading import files
from tests.reading.conftest import Children

pytestmark = pytest.mark.anyio
_UNPACKED = 150_000_000


def locked() -> bytes:
    return files.pdf(encrypt=pdfencrypt.StandardEncryption("secreto"))


def locked_zip() -> bytes:
    """Every entry says that it is encrypted."""
    archive = bytearray(files.docx("Hola"))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = archive.find(mark)
        while place >= 0:
            archive[place + flags] |= 1
            place = archive.find(mark, place + 4)
    return bytes(archive)


def locked_office() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le")


def big_page() -> bytes:
    return files.page_of_content(b"0 0 m ", 1, b"0 0 200000 200000")


@lru_cache
def docx_bomb() -> bytes:
    return files.zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": bytes(_UNPACKED)})


def said_to_be(size: int) -> bytes:
    """The bomb, which says of itself that it unpacks to so many bytes."""
    return docx_bomb().replace(_UNPACKED.to_bytes(4, "little"), size.to_bytes(4, "little"))


def lying_docx_bomb() -> bytes:
    return said_to_be(10)


def lying_count() -> bytes:
    """Says that it has 10⁹ pages."""
    return files.pages_of(b"3 0 R", 10**9, b"<</Type/Page/Parent 2 0 R>>")


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY e0 "lol">{entities}]><r>&e9;</r>'.encode()


def reaching_xml() -> bytes:
    return b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'


def many_images() -> bytes:
    return files.image(form="TIFF", save_all=True, append_images=[files.Image.new("L", (4, 4))] * 5)


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "pdf with a password": (locked, "encrypted"),
    "zip with a password": (locked_zip, "encrypted"),
    "office file with a password": (locked_office, "encrypted"),
    "empty": (lambda: b"", "empty"),
    "truncated pdf": (lambda: files.pdf()[:600], "damaged"),
    "pdf of junk": (lambda: b"%PDF-1.7\n" + b"x" * 1000, "damaged"),
    "truncated docx": (lambda: files.docx("Hola")[:-30], "damaged"),
    "truncated jpeg": (lambda: files.image((400, 400), "JPEG")[:500], "damaged"),
    "truncated png": (lambda: files.image((400, 400))[:60], "damaged"),
    "truncated xml": (lambda: b"<Invoice><Total>", "damaged"),
    "broken json": (lambda: b'{"total": ', "damaged"),
    "10 000 pages": (lambda: files.empty_pages(10_000), "max_pages"),
    "many images in one file": (many_images, "max_pages"),
    "200 000-point page": (big_page, "max_page_size"),
    "3.6 Gpx png": (lambda: files.png_of(60_000, 60_000), "max_pixels"),
    "docx bomb": (docx_bomb, "max_bytes"),
    "docx that says 2 GB": (lambda: said_to_be(2_000_000_000), "max_bytes"),
    "entity bomb": (entity_bomb, "damaged"),
    "xml that reaches for files": (reaching_xml, "damaged"),
    "deep json": (lambda: b"[" * 100_000 + b"]" * 100_000, "max_depth"),
    "deep xml": (lambda: b"<a>" * 100_000 + b"</a>" * 100_000, "max_depth"),
    "much text": (lambda: b"hola " * 1_200_000, "max_text"),
    "big attachment": (lambda: files.with_attachment("ceros", bytes(6_000_000)), "max_bytes"),
    "big file": (lambda: bytes(7_000_000), "max_bytes"),
}  # fmt: skip
LIMITS = {
    "many images in one file": Limits(pages=3),
    "big attachment": Limits(bytes=5_000_000),
    "big file": Limits(bytes=5_000_000),
}


@pytest.fixture
def nothing_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, children: Children) -> Iterator[None]:
    """Neither files nor processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("bivelio_server.reading.process._TUNING", {"TMPDIR": str(tmp_path)})
    yield
    assert list(tmp_path.iterdir()) == []
    assert children() == []


@pytest.mark.parametrize("name", REFUSED)
async def test_it_is_a_clear_refusal(reader: ChildReader, nothing_left: None, name: str) -> None:
    make, constraint = REFUSED[name]
    content = make()
    start = time.process_time()

    with pytest.raises(Unreadable) as refused:
        await reader.read(content, limits=LIMITS.get(name, Limits()))

    assert refused.value.constraint == constraint
    assert refused.value.text.es.endswith(".")
    assert refused.value.text.en.endswith(".")
    assert "{" not in refused.value.text.es + refused.value.text.en
    assert time.process_time() - start < 1


async def test_what_a_refusal_says_of_a_limit(reader: ChildReader) -> None:
    with pytest.raises(Unreadable) as refused:
        await reader.read(files.empty_pages(300))

    assert refused.value.text.es == "El archivo tiene más páginas (300) que las 200 permitidas."
    assert refused.value.text.en == "The file has more pages (300) than the 200 allowed."


@pytest.mark.parametrize("make", [lying_docx_bomb, lying_count])
async def test_what_lies_of_its_size_is_read_as_far_as_it_goes(reader: ChildReader, make: Callable[[], bytes]) -> None:
    reading = await reader.read(make())

    assert (reading.page_count, reading.text) == (1, "")
