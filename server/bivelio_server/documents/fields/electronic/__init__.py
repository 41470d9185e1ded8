"""Invoices that are data already: UBL, CII (Factur-X, ZUGFeRD) and Facturae, alone or inside a PDF."""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from bivelio_server.documents.fields.electronic import cii, facturae, ubl
from bivelio_server.documents.fields.electronic.invoice import ElectronicInvoice, tree
from bivelio_server.documents.fields.found import Tree
from bivelio_server.reading.port import Reading

_READERS: Final = {
    "Invoice": ubl.read,
    "CreditNote": ubl.read,
    "CrossIndustryInvoice": cii.read,
    "CrossIndustryDocument": cii.read,
    "Facturae": facturae.read,
}


def electronic_invoice(reading: Reading) -> Tree | None:
    """The fields of the electronic invoice that the file is or carries; None where there is none."""
    for content in _candidates(reading):
        invoice = _parsed(content)
        if invoice is not None:
            return tree(invoice)
    return None


def _candidates(reading: Reading) -> Iterator[bytes]:
    for attachment in reading.attachments:
        if attachment.name.lower().endswith((".xml", ".xsig")) or attachment.content.lstrip()[:1] == b"<":
            yield attachment.content
    if reading.text.lstrip("\ufeff \n\r\t")[:1] == "<":
        yield reading.text.lstrip("\ufeff \n\r\t").encode()


def _parsed(content: bytes) -> ElectronicInvoice | None:
    root = _root(content)
    if root is None:
        return None
    reader = _READERS.get(etree.QName(root).localname)
    return reader(root) if reader else None


def _root(content: bytes) -> etree._Element | None:
    # No entity is resolved, no DTD loaded and nothing fetched: the file comes from anybody.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
    try:
        return etree.fromstring(_without_declared_encoding(content), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _without_declared_encoding(content: bytes) -> bytes:
    """A text that was decoded already still declares how it once was encoded."""
    head, mark, rest = content.partition(b"?>")
    if not mark or not head.lstrip().startswith(b"<?xml"):
        return content
    try:
        content.decode()
    except UnicodeDecodeError:
        return content
    return rest
