"""A worker in the background, and couriers among the features, for the tests that ask for them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest

from bivelio_server.app import FEATURES, HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from tests.workflows.couriers import Courier
from tests.working import working
from tests.world import Client, Organization


@pytest.fixture
async def worker(services: Services, alone: None) -> AsyncIterator[None]:
    """Runs what is due, as a serving process does beside answering."""
    async with working(services, HANDLERS):
        yield


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
async def depot(services: Services, alone: None, courier: Courier) -> AsyncIterator[Services]:
    """The services with couriers among their features, and a worker."""
    depot = replace(services, catalogue=Catalogue((*FEATURES, courier.feature())))
    async with working(depot, HANDLERS):
        yield depot


@pytest.fixture
async def client(depot: Services, installation: Installation, acme: Organization) -> AsyncIterator[Client]:
    """Acme's, of an application that has couriers."""
    transport = httpx2.ASGITransport(app=create_app(depot, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield Client(http, acme.live.headers)
