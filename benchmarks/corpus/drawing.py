"""Putting words on paper."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

WIDTH, HEIGHT = A4


class Paper:
    """A page whose places are counted from its upper left corner, in points."""

    def __init__(self, font: str = "Helvetica", size: float = 9, page: tuple[float, float] = A4) -> None:
        self._buffer = BytesIO()
        self._canvas = Canvas(self._buffer, pagesize=page, invariant=1)
        self._height = page[1]
        self.width = page[0]
        self.font, self.size = font, size

    @property
    def bold(self) -> str:
        return {"Times-Roman": "Times-Bold"}.get(self.font, f"{self.font}-Bold")

    def text(self, x: float, y: float, words: str, *, size: float | None = None, bold: bool = False, align: str = "l") -> None:
        self._canvas.setFont(self.bold if bold else self.font, size or self.size)
        draw: Any = {"l": self._canvas.drawString, "r": self._canvas.drawRightString, "c": self._canvas.drawCentredString}[align]
        draw(x, self._height - y, words)

    def lines(self, x: float, y: float, rows: Sequence[str], *, leading: float = 12, **kw: Any) -> float:
        for row in rows:
            self.text(x, y, row, **kw)
            y += leading
        return y

    def row(self, y: float, cells: Sequence[tuple[float, str, str]], **kw: Any) -> None:
        """Cells are x, alignment and words."""
        for x, align, words in cells:
            self.text(x, y, words, align=align, **kw)

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> None:
        self._canvas.line(x0, self._height - y0, x1, self._height - y1)

    def box(self, x0: float, y0: float, x1: float, y1: float, fill: float | None = None) -> None:
        if fill is not None:
            self._canvas.setFillGray(fill)
        self._canvas.rect(x0, self._height - y1, x1 - x0, y1 - y0, fill=int(fill is not None))
        self._canvas.setFillGray(0)

    def next_page(self) -> None:
        self._canvas.showPage()

    def pdf(self) -> bytes:
        self._canvas.save()
        return self._buffer.getvalue()
