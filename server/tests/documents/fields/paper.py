"""Pages as a typewriter would set them: every character as wide as any other, so that columns are where they look."""

from bivelio_server.reading.port import Attachment, Box, Page, Reading, Source, Word

WIDTH, LEADING, HEIGHT = 5.0, 14.0, 10.0


def paper(text: str, *, source: Source = "text", confidence: float = 1.0, width: float = 595.0) -> Reading:
    """One page with the lines of a text, as its words and their places."""
    words = [
        Word(word, Box(x0 * WIDTH, y * LEADING, (x0 + len(word)) * WIDTH, y * LEADING + HEIGHT), confidence)
        for y, line in enumerate(text.strip("\n").splitlines())
        for x0, word in _words(line)
    ]
    page = Page(1, width, 842.0, source, words)
    return Reading("application/pdf", 1, [page], text, (), "typewriter")


def plain_text(text: str) -> Reading:
    return Reading("text/plain", 1, [Page(1, 0, 0, "text", ())], text, (), "typewriter")


def xml(text: str) -> Reading:
    return Reading("application/xml", 1, [Page(1, 0, 0, "text", ())], text, (), "typewriter")


def with_attachment(reading: Reading, name: str, content: str) -> Reading:
    attachment = Attachment(name, content.encode())
    return Reading(reading.mime_type, 1, reading.pages, reading.text, (attachment,), reading.engine)


def _words(line: str) -> list[tuple[int, str]]:
    words: list[tuple[int, str]] = []
    start = None
    for index, character in enumerate([*line, " "]):
        if character != " " and start is None:
            start = index
        elif character == " " and start is not None:
            words.append((start, line[start:index]))
            start = None
    return words
