"""Traces in memory, and a worker for all that a serving process does beside answering."""

from collections.abc import AsyncIterator, Iterator

import pytest

from bivelio_server.app import HANDLERS, LANES
from bivelio_server.kit.context import Services
from tests.observability.spans import Spans, recording
from tests.working import working


@pytest.fixture
def spans() -> Iterator[Spans]:
    with recording() as spans:
        yield spans


@pytest.fixture
async def worker(services: Services, alone: None) -> AsyncIterator[None]:
    async with working(services, HANDLERS, LANES):
        yield
