"""Templates whose operations are still to come do what they say, once these are there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest

from bivelio_server.app import HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from tests.workflows.announced_operations import EVERYTHING, SENT
from tests.workflows.arranging import ended, reached, reacted, started
from tests.workflows.deciding import DECIDE, waiting_in
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
CREATE = "/v1/workflows/create_from_template"


@pytest.fixture
async def client(acme: Organization, services: Services, installation: Installation) -> AsyncIterator[Client]:
    """A client of a server that has everything, with a worker."""
    tomorrow = replace(services, catalogue=EVERYTHING)
    transport = httpx2.ASGITransport(app=create_app(tomorrow, installation))
    async with working(tomorrow, HANDLERS), httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
        yield Client(http, acme.live.headers)


async def made_from(client: Client, template_id: str, **parameters: Any) -> Json:
    data = {"template_id": template_id, "status": "active", "parameters": parameters}
    made: Json = await client.call(CREATE, data)
    return made


def document(name: str) -> Json:
    return {"document_id": "doc_1", "filename": "escaneado.pdf", "url": f"https://example.com/{name}"}


async def test_a_document_that_is_surely_known_is_read_without_asking(client: Client) -> None:
    triage = await made_from(client, "triage_document")

    run = await ended(client, await started(client, triage, data=document("invoice-92")))

    assert run["output"] == {
        "document_id": "doc_1", "kind": "invoice", "data": {"total": 1210.0, "fields": 6}, "approved": True,
    }  # fmt: skip


async def test_a_document_that_is_not_sure_is_asked_about(client: Client) -> None:
    triage = await made_from(client, "triage_document", sure_percent=90)
    run = await reached(client, await started(client, triage, data=document("contract-85")), "waiting")

    [question] = await waiting_in(client, run)
    await client.call(DECIDE, {"approval_id": question["approval_id"], "decision": "reject"})

    assert question["title"] == "escaneado.pdf: ¿es «contract» y están bien sus datos?"
    assert (await ended(client, run))["output"] == {
        "document_id": "doc_1", "kind": "contract", "data": None, "approved": False,
    }  # fmt: skip


async def test_a_client_with_an_address_is_written_to(
    client: Client, acme: Organization, owner: psycopg.Connection
) -> None:
    welcome = await made_from(client, "welcome_client")
    await client.call("/v1/contacts/create", {"name": "Ana", "tags": ["cliente"], "email": "ana@ejemplo.com"})
    await reacted(acme, owner)

    page = await client.call("/v1/workflows/instances", {"workflow_id": welcome["id"]})
    await reached(client, page["instances"][0], "waiting")

    [body] = [text for to, text in SENT if to == "ana@ejemplo.com"]
    assert body.startswith("Hola, Ana:")
