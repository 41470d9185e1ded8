"""A worker in the background, for the tests that ask for one."""

from collections.abc import AsyncIterator

import pytest

from bivelio_server.app import HANDLERS, LANES
from bivelio_server.kit.context import Services
from tests.working import working


@pytest.fixture
async def worker(services: Services, alone: None) -> AsyncIterator[None]:
    """Runs what is due, as a serving process does beside answering."""
    async with working(services, HANDLERS, LANES):
        yield
