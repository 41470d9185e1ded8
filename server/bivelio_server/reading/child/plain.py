"""Files that are text: plain, CSV, JSON and XML. XML stays as it is, but for its character set: its tags are data."""

from typing import Final

from lxml import etree

from bivelio_server.kit import json
from bivelio_server.kit.charsets import text_in
from bivelio_server.kit.media_types import JSON, SVG, XML
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import without_pages
from bivelio_server.reading.port import Reading

ENGINE: Final = "text"


def read(task: Task, mime_type: str) -> Reading:
    text = _xml(task.content) if mime_type in (XML, SVG) else text_in(task.content)
    if text is None:
        refuse("damaged")
    check_text(len(text))
    if mime_type == JSON:
        _check_json(text)
    return without_pages(mime_type, text, ENGINE)


def _xml(content: bytes) -> str:
    """Raises Refused for what is not well-formed, and for entities that unfold to more than they are."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(content, parser).getroottree()
    except etree.XMLSyntaxError as error:
        refuse("max_depth" if "depth" in str(error) else "damaged")
    if any(True for _ in tree.iter(etree.Entity)):
        refuse("damaged")
    try:
        return content.decode(tree.docinfo.encoding or "utf-8").removeprefix("\ufeff")
    except (LookupError, UnicodeDecodeError):
        refuse("damaged")


def _check_json(text: str) -> None:
    try:
        json.loads(text)
    except json.InvalidJSON as error:
        refuse("max_depth" if "nested" in error.reason.en else "damaged")
