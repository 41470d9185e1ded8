"""An organisation with a box and a model that computes vectors at once, and a worker that makes files searchable."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.context import Services
from bivelio_server.reading.process import ChildReader
from tests.boxes.ingestion.arranging import Ingesting
from tests.scripted import SCRIPTS, Scripted
from tests.working import working
from tests.world import Organization


@pytest.fixture
def model(acme: Organization) -> Scripted:
    scripted = Scripted()
    SCRIPTS.give(acme.id, scripted)
    return scripted


@pytest.fixture
async def box(acme: Organization, services: Services, model: Scripted) -> Ingesting:
    return await Ingesting(acme, services).create()


@pytest.fixture
async def worker(services: Services) -> AsyncIterator[None]:
    async with working(replace(services, reader=ChildReader("off")), HANDLERS):
        yield
