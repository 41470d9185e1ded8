"""documents.*; what is read here is XML, which needs no characters recognised and no model."""

import base64
from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

_CONTENT: Final = base64.b64encode(
    b'<?xml version="1.0"?><note>Factura FAC-2026-001 Total 1.210,00 EUR</note>'
).decode()
_FILE: Final = {"filename": "factura.xml", "content_base64": _CONTENT, "folder": "invoices", "tags": ["2026"]}


async def _reference(scene: Scene) -> dict[str, Any]:
    return {"document_id": (await scene.client.call("/v1/documents/upload", _FILE))["document_id"]}


async def _update(scene: Scene) -> dict[str, Any]:
    return {**await _reference(scene), "folder": "paid"}


async def _deleted(scene: Scene) -> dict[str, Any]:
    reference = await _reference(scene)
    await scene.client.call("/v1/documents/delete", reference)
    return reference


async def _process(scene: Scene) -> dict[str, Any]:
    return {**await _reference(scene), "auto_extract": True}


async def _extract(scene: Scene) -> dict[str, Any]:
    return {**await _reference(scene), "document_type": "invoice"}


async def _extraction(scene: Scene) -> dict[str, Any]:
    made = await scene.client.call("/v1/documents/extract", await _extract(scene))
    return {"extraction_id": made["extraction_id"]}


async def _extractions(scene: Scene) -> dict[str, Any]:
    made = await scene.client.call("/v1/documents/extract", await _extract(scene))
    return {"document_id": made["document_id"]}


SAMPLES: Final[Samples] = {
    "documents.upload": fixed(_FILE),
    "documents.list": fixed({"folder": "invoices"}),
    "documents.list_folders": fixed({}),
    "documents.get": Sample(_reference),
    "documents.update": Sample(_update),
    "documents.process": Sample(_process),
    "documents.delete": Sample(_reference),
    "documents.restore": Sample(_deleted),
    "documents.erase": Sample(_reference),
    "documents.extract": Sample(_extract),
    "documents.classify": Sample(_reference),
    "documents.get_extraction": Sample(_extraction),
    "documents.list_extractions": Sample(_extractions),
    "documents.review": Sample(_extraction),
    "documents.review_figures": fixed({}),
}
