"""Templates whose operations are still to come do what they say, once these are there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest

from bivelio_server.app import HANDLERS, create_app
from bivelio_server.events import announced
from bivelio_server.events.recording import record
from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.origin import Door, Origin
from tests.workflows.announced_operations import EVERYTHING, SENT
from tests.workflows.arranging import ended, instance, later, reached, reacted, started, until
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


async def test_an_invoice_is_chased_until_it_is_paid(
    client: Client, acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection
) -> None:
    run, invoice = await overdue(client, services, clock, "pagada@ejemplo.com")
    await letters(1, to="pagada@ejemplo.com")

    await paid(acme, services, invoice)
    await reacted(acme, owner)

    assert (await ended(client, run))["output"] == {"invoice": "FAC-2026-042", "paid": True}
    [letter] = letters_to("pagada@ejemplo.com")
    assert "la factura FAC-2026-042, de 6.050,00\xa0€, venció el" in letter


async def test_chasing_an_invoice_ends(client: Client, services: Services, clock: MovableClock) -> None:
    run, _ = await overdue(client, services, clock, "nunca@ejemplo.com")
    for count in (1, 2):
        await letters(count, to="nunca@ejemplo.com")
        await reached(client, run, "waiting")
        later(services, clock, days=2, seconds=5)

    assert (await ended(client, run))["output"] == {"invoice": "FAC-2026-042", "paid": False}
    assert len(letters_to("nunca@ejemplo.com")) == 2


async def overdue(client: Client, services: Services, clock: MovableClock, email: str) -> tuple[Json, Json]:
    """The run that chases an invoice, some time after that was due, and the invoice."""
    parameters = {"days_late": 1, "every_days": 2, "reminders": 2, "ask_first": False}
    chase = await made_from(client, "chase_invoice", **parameters)
    contact = await client.call("/v1/contacts/create", {"name": "Empresa ABC", "email": email})
    invoice = {
        "id": new_id("inv"), "type": "issued", "number": "FAC-2026-042", "total": 6050, "currency": "EUR",
        "due_date": clock.now().date().isoformat(), "client": {"id": contact["id"], "name": "Empresa ABC S.L."},
    }  # fmt: skip
    run = await started(client, chase, data=invoice)
    await reached(client, run, "waiting")
    later(services, clock, days=2)
    await until_step(client, run, "paid_by_then")
    later(services, clock, seconds=65)
    return run, invoice


async def until_step(client: Client, run: Json, step_id: str) -> None:
    async def is_there() -> bool:
        steps = (await instance(client, run))["steps"]
        return any((step["step_id"], step["status"]) == (step_id, "waiting") for step in steps)

    await until(is_there)


async def letters(count: int, *, to: str) -> None:
    async def are_sent() -> bool:
        return len(letters_to(to)) == count

    await until(are_sent)


def letters_to(address: str) -> list[str]:
    return [text for to, text in SENT if to == address]


async def paid(organization: Organization, services: Services, invoice: Json) -> None:
    """The event that the feature of invoices will record."""
    definition = next(known for known in announced.EVENTS if known.name == "invoice.paid")
    data = definition.sample.model_copy(update={"id": invoice["id"]})
    user_id = organization.owner_id
    caller = Caller(organization.id, Environment.live, f"user:{user_id}", user_id, frozenset({"admin"}))
    async with transaction(caller, services, Origin(Door.http)) as context:
        await record(context, definition, data)
