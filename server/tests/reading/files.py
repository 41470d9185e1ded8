"""Files as tests need them: good ones, and what people and attackers make of them."""

import io
import zlib
from collections.abc import Callable, Iterable

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
