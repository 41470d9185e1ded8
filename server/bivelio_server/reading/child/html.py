"""HTML as a person reads it: blocks on lines of their own, the cells of a row beside each other."""

import re
from typing import Final

from lxml import etree, html

from bivelio_server.kit.charsets import text_in
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import without_pages
from bivelio_server.reading.port import Reading

ENGINE: Final = "lxml"
_UNSEEN: Final = ("script", "style", "noscript", "template", "head", "svg")
_INLINE: Final = frozenset(
    ("a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "em", "font", "i", "img", "ins", "kbd", "label", "mark",
     "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr")
)  # fmt: skip
_CELLS: Final = frozenset(("td", "th"))
_SPACES: Final = re.compile(r"[^\S\n]+")
_LINES: Final = re.compile(r" *\n[ \n]*")
_DECLARED: Final = re.compile(rb"charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)


def read(task: Task, mime_type: str) -> Reading:
    text = text_of(_decoded(task.content))
    check_text(len(text))
    return without_pages(mime_type, text, ENGINE)


def text_of(source: str) -> str:
    """Raises Refused for what is nested too deeply."""
    try:
        root = html.document_fromstring(source.encode(), parser=html.HTMLParser(encoding="utf-8", no_network=True))
    except (etree.ParserError, etree.XMLSyntaxError):  # nothing in it
        return ""
    etree.strip_elements(root, *_UNSEEN, etree.Comment, etree.ProcessingInstruction, with_tail=False)
    pieces: list[str] = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        gap = _gap(element.tag)
        text = element.text if event == "start" else element.tail
        pieces += (gap, _SPACES.sub(" ", (text or "").replace("\n", " ")))
    return _LINES.sub("\n", _SPACES.sub(" ", "".join(pieces))).strip()


def _gap(tag: object) -> str:
    if tag in _CELLS:
        return " "
    return "" if tag in _INLINE else "\n"


def _decoded(content: bytes) -> str:
    """HTML says itself what it is in, sometimes."""
    declared = _DECLARED.search(content[:2048])
    try:
        return content.decode(declared.group(1).decode() if declared else "utf-8")
    except (LookupError, UnicodeDecodeError):
        text = text_in(content)
    if text is None:
        refuse("damaged")
    return text
