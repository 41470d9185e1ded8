"""Until files are read."""

from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Limits, Reading, Unreadable


class NoReader:
    async def read(self, content: bytes, *, filename: str | None = None, limits: Limits = Limits()) -> Reading:  # noqa: ARG002, B008 - stopgap
        raise Unreadable("mime_type", Text("Aún no se leen ficheros.", "Files are not read yet."))
