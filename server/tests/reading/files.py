"""Files as tests need them: good ones, and what people and attackers make of them."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable

from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

Draw = Callable[[Canvas], None]
LINES = ("Factura nº 2026-0042", "Gestoría Peña, S.L.  NIF B12345674", "Total: 1.210,00 €")


def pdf(*pages: Draw, size: tuple[float, float] = A4, **options: object) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=size, invariant=True, **options)
    for draw in pages or (invoice,):
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def invoice(canvas: Canvas, lines: Iterable[str] = LINES) -> None:
    canvas.setFont("Helvetica", 12)
    for row, line in enumerate(lines):
        canvas.drawString(72, 770 - 20 * row, line)


def raw_pdf(*objects: bytes, root: int = 1) -> bytes:
    """A PDF of these objects, numbered from 1."""
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, root, start)
    return bytes(out)


def stream(content: bytes, fields: bytes = b"") -> bytes:
    packed = zlib.compress(content, 9)
    return b"<</Filter/FlateDecode/Length %d%s>>\nstream\n%s\nendstream" % (len(packed), fields, packed)


def pages_of(kids: bytes, count: int, *more: bytes) -> bytes:
    return raw_pdf(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, count), *more)


def empty_pages(count: int) -> bytes:
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(count))
    return pages_of(kids, count, *([b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>"] * count))


def page_of_content(content: bytes, megabytes: int, size: bytes = b"0 0 595 842") -> bytes:
    """One page whose content is `content` again and again, of so many megabytes."""
    packer = zlib.compressobj(9)
    block = content * (1_000_000 // len(content))
    packed = b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()
    body = b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(packed), packed)
    return pages_of(b"3 0 R", 1, b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R>>" % size, body)


def with_attachment(name: str, content: bytes) -> bytes:
    """One empty page, and a file attached to it as invoices have their XML."""
    return raw_pdf(
        b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(%s)4 0 R]>>>>>>" % name.encode(),
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
        b"<</Type/Filespec/F(%s)/UF(%s)/EF<</F 5 0 R>>>>" % (name.encode(), name.encode()),
        stream(content, b"/Type/EmbeddedFile/Params<</Size %d>>" % len(content)),
    )


def zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return out.getvalue()


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
ODF = "urn:oasis:names:tc:opendocument:xmlns"


def office(main: str, parts: dict[str, str], kind: str) -> bytes:
    """An OOXML file whose main part is `main`, of so much of a content type."""
    content_type = f"application/vnd.openxmlformats-officedocument.{kind}.main+xml"
    entries = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/{main}" ContentType="{content_type}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{LINKS}/officeDocument"'
        f' Target="{main}"/></Relationships>',
        **parts,
    }
    return zipped({name: content.encode() for name, content in entries.items()})


def docx(*paragraphs: str) -> bytes:
    body = "".join(f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in paragraphs)
    document = f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    return office("word/document.xml", {"word/document.xml": document}, "wordprocessingml.document")


def xlsx(*rows: tuple[str, ...]) -> bytes:
    lines = "".join(
        "<row>" + "".join(f'<c t="inlineStr"><is><t>{cell}</t></is></c>' for cell in row) + "</row>" for row in rows
    )
    return office(
        "xl/workbook.xml",
        {
            "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{LINKS}"><sheets><sheet name="Gastos" sheetId="1"'
            ' r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1"'
            f' Type="{LINKS}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{lines}</sheetData></worksheet>',
        },
        "spreadsheetml.sheet",
    )


def pptx(text: str) -> bytes:
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    show = "http://schemas.openxmlformats.org/presentationml/2006/main"
    return office(
        "ppt/presentation.xml",
        {
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{show}" xmlns:r="{LINKS}"><p:sldIdLst>'
            '<p:sldId id="256" r:id="r1"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1"'
            f' Type="{LINKS}/slide" Target="slides/slide1.xml"/></Relationships>',
            "ppt/slides/slide1.xml": f'<p:sld xmlns:p="{show}" xmlns:a="{drawing}"><p:cSld><p:spTree><p:sp><p:txBody>'
            f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>",
        },
        "presentationml.presentation",
    )


def odt(*paragraphs: str) -> bytes:
    return _open_document("text", "".join(f"<text:p>{text}</text:p>" for text in paragraphs))


def ods(*cells: str) -> bytes:
    row = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in cells
    )
    table = f'<table:table table:name="Gastos"><table:table-row>{row}</table:table-row></table:table>'
    return _open_document("spreadsheet", table)


def _open_document(kind: str, body: str) -> bytes:
    content = (
        f'<office:document-content xmlns:office="{ODF}:office:1.0" xmlns:text="{ODF}:text:1.0"'
        f' xmlns:table="{ODF}:table:1.0"><office:body><office:{kind}>{body}</office:{kind}></office:body>'
        "</office:document-content>"
    )
    mime_type = f"application/vnd.oasis.opendocument.{kind}"
    manifest = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    parts = {"mimetype": mime_type, "content.xml": content, "META-INF/manifest.xml": manifest}
    return zipped({name: part.encode() for name, part in parts.items()})


def image(size: tuple[int, int] = (40, 30), form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("L", size, 255).save(out, form, **options)
    return out.getvalue()


def png_of(width: int, height: int) -> bytes:
    """A few bytes that say that they are that many pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
