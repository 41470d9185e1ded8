"""What the tests of documents share."""

import asyncio
import base64
import json
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bivelio_server.documents.fields import Classification, Extraction, Field
from bivelio_server.documents.understanding import leaves
from bivelio_server.reading.port import Box
from tests.world import Client, Organization

Json = dict[str, Any]
PDF = b"%PDF-1.4\n1 0 obj\n<</Type/Catalog>>\nendobj\n"
INVOICE = "Factura FAC-2026-001\nFecha 01/04/2026\nProveedor XYZ S.L. B98765432\nTotal 1.210,00 EUR"
CONTRACT = Classification("contract", 0.95, "service_agreement", "Contrato de servicios.", "es")


def content(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


async def uploaded(client: Client, text: str | bytes = INVOICE, filename: str = "factura.txt", **fields: Any) -> Json:
    data = {"filename": filename, "content_base64": content(text), **fields}
    made: Json = await client.call("/v1/documents/upload", data)
    return made


async def document(client: Client, made: Json) -> Json:
    found: Json = await client.call("/v1/documents/get", {"document_id": made["document_id"]})
    return found


async def processed(client: Client, made: Json, status: str = "processed") -> Json:
    """The document once it is through, which must be with `status`."""
    deadline = time.monotonic() + 20
    while (found := await document(client, made))["status"] not in ("processed", "failed"):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    assert found["status"] == status, found
    return found


async def asked(client: Client) -> list[tuple[str, str, int, int]]:
    """What models of language were asked: engine, model, calls, and how many of them failed."""
    page = await client.call("/v1/usage/ai", {})
    return [(each["engine"], each["model"], each["calls"], each["failures"]) for each in page["usage"]]


def events_of(organization: Organization) -> list[Json]:
    """The data of every document.processed, in their order."""
    rows = organization.world.database.execute(
        "select data from events where org_id = %s and event = 'document.processed' order by occurred_at, id",
        (organization.id,),
    )
    return [json.loads(json.dumps(data, default=float)) for (data,) in rows]


async def fetched(http: httpx2.AsyncClient, url: str, **headers: str) -> httpx2.Response:
    return await http.get(urlsplit(url).path, headers=headers)


def an_extraction(confidence: float = 0.96, **values: Any) -> Extraction:
    """What the rules find: these values, all of one confidence."""
    found = [Field(path, value, confidence, 1, Box(1, 2, 3, 4)) for path, value in leaves(values)]
    return Extraction("invoice", confidence, values, found, "text")
