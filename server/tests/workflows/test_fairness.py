"""An organisation whose provider hangs keeps nobody else's runs waiting."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest

from bivelio_server.app import FEATURES, HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from tests.workflows.arranging import create_contact, ended, run, started, until, workflow
from tests.workflows.couriers import Courier
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

WITHIN_SECONDS = 1.0


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
async def depot(services: Services, installation: Installation, courier: Courier) -> AsyncIterator[httpx2.AsyncClient]:
    depot = replace(services, catalogue=Catalogue((*FEATURES, courier.feature())))
    transport = httpx2.ASGITransport(app=create_app(depot, installation))
    async with (
        working(depot, HANDLERS),
        httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http,
    ):
        yield http


async def test_a_provider_that_hangs_delays_its_own_organisation_only(
    depot: httpx2.AsyncClient, acme: Organization, rival: Organization, courier: Courier, services: Services
) -> None:
    answered = asyncio.Event()
    slots = services.settings.worker_slots
    courier.on_call = [answered.wait] * 20 * slots  # type: ignore[list-item] # nobody looks at what it gives
    greedy, modest = Client(depot, acme.live.headers), Client(depot, rival.live.headers)
    hanging = await workflow(greedy, Courier.STEP)
    made = await workflow(modest, create_contact())
    runs = [await started(greedy, hanging, to="Ana") for _ in range(10 * slots)]
    await until(lambda: _many_hang(courier, 5 * slots))

    began = time.monotonic()
    await run(modest, made)
    took = time.monotonic() - began
    answered.set()

    assert took < WITHIN_SECONDS
    for each in runs:
        await ended(greedy, each)


async def _many_hang(courier: Courier, many: int) -> bool:
    return len(courier.keys) > many
