"""What is in a file is found by its content, and read by what reads that."""

from email.message import EmailMessage

import pytest

from bivelio_server.reading.port import Unreadable
from bivelio_server.reading.process import ChildReader
from tests.reading import files

pytestmark = pytest.mark.anyio

OOXML = "application/vnd.openxmlformats-officedocument."


@pytest.mark.parametrize(
    ("content", "mime_type", "text"),
    [
        (files.docx("Contrato", "Cláusula 1ª"), f"{OOXML}wordprocessingml.document", "Contrato\n\nCláusula 1ª"),
        (files.xlsx(("Concepto", "Importe"), ("Luz", "42,10")), f"{OOXML}spreadsheetml.sheet", "Luz 42,10"),
        (files.pptx("Resultados de 2026"), f"{OOXML}presentationml.presentation", "Resultados de 2026"),
        (files.odt("Acta de la junta"), "application/vnd.oasis.opendocument.text", "Acta de la junta"),
        (files.ods("Luz", "42,10"), "application/vnd.oasis.opendocument.spreadsheet", "Luz 42,10"),
        (b"{\\rtf1\\ansi Escritura}", "application/rtf", "Escritura"),
        (b"<!doctype html><p>Nota</p><script>x</script>", "text/html", "Nota"),
        ("<html><meta charset=iso-8859-1><p>Señal".encode("latin-1"), "text/html", "Señal"),
        (b'{"total": 12.10}', "application/json", '{"total": 12.10}'),
        (b"fecha;importe\n1-1-2026;12,10\n", "text/csv", "fecha;importe\n1-1-2026;12,10"),
        ("El año pasado, 12 €".encode("cp1252"), "text/plain", "El año pasado, 12 €"),
        ("El año pasado".encode("utf-16"), "text/plain", "El año pasado"),
        (b"\xef\xbb\xbfHola", "text/plain", "Hola"),
    ],
    ids=lambda value: value if isinstance(value, str) and "/" in value else "",
)  # fmt: skip
async def test_a_file_is_read_by_what_it_is(reader: ChildReader, content: bytes, mime_type: str, text: str) -> None:
    reading = await reader.read(content)

    assert reading.mime_type == mime_type
    assert text in reading.text
    assert [(page.number, page.source, list(page.words)) for page in reading.pages] == [(1, "text", [])]


async def test_xml_stays_as_it_is_but_for_its_character_set(reader: ChildReader) -> None:
    source = '<?xml version="1.0" encoding="ISO-8859-1"?>\n<Invoice><Name>Muñoz</Name></Invoice>'

    reading = await reader.read(source.encode("latin-1"))

    assert (reading.mime_type, reading.text) == ("application/xml", source)


async def test_a_mail_has_its_headers_its_text_and_what_is_attached(reader: ChildReader) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ana@example.com", "luis@example.com", "Factura de mayo: 12 €"
    mail.set_content("Le adjunto la factura, señor Peña.")
    mail.add_alternative("<p>Le adjunto la factura</p>", subtype="html")
    mail.add_attachment(files.pdf(), maintype="application", subtype="pdf", filename="factura.pdf")

    reading = await reader.read(mail.as_bytes())

    assert reading.mime_type == "message/rfc822"
    assert reading.text.splitlines() == [
        "From: ana@example.com", "To: luis@example.com", "Subject: Factura de mayo: 12 €", "",
        "Le adjunto la factura, señor Peña.",
    ]  # fmt: skip
    assert [(each.name, each.content) for each in reading.attachments] == [("factura.pdf", files.pdf())]


async def test_a_mail_may_be_html_only(reader: ChildReader) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ana@example.com", "luis@example.com", "Aviso"
    mail.set_content("<h1>Aviso</h1><p>Su cita es el <b>martes</b></p>", subtype="html")

    assert (await reader.read(mail.as_bytes())).text.endswith("\n\nAviso\nSu cita es el martes")


async def test_the_cells_of_a_row_of_html_stay_on_its_line(reader: ChildReader) -> None:
    page = (
        "<html><table><tr><td>Base</td><td>12,00</td></tr>\n<tr><th>IVA</th><td>2,52</td></tr></table>Fin<br>ya</html>"
    )

    assert (await reader.read(page.encode())).text == "Base 12,00\nIVA 2,52\nFin\nya"


async def test_a_pdf_with_the_name_of_another_kind_is_still_a_pdf(reader: ChildReader) -> None:
    reading = await reader.read(files.pdf(), filename="factura.docx")

    assert reading.mime_type == "application/pdf"


async def test_a_page_of_html_called_pdf_is_what_a_failed_download_left(reader: ChildReader) -> None:
    with pytest.raises(Unreadable) as refused:
        await reader.read(b"<html><p>Sign in first</p></html>", filename="Factura.PDF")

    assert refused.value.constraint == "file_name"
    assert refused.value.text.es == "El archivo se llama .pdf, pero su contenido es text/html."
    assert refused.value.text.en == "The file is named .pdf, but its content is text/html."


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"MZ\x90\x00" + bytes(100), "application/vnd.microsoft.portable-executable"),
        (files.zipped({"a.txt": b"hola"}), "application/zip"),
        (bytes(range(256)), "application/octet-stream"),
    ],
)
async def test_a_type_that_is_not_read_is_named(reader: ChildReader, content: bytes, found: str) -> None:
    with pytest.raises(Unreadable) as refused:
        await reader.read(content)

    assert refused.value.constraint == "mime_type"
    assert found in refused.value.text.en
    assert "DOCX" in refused.value.text.en
