"""Webhook tests share one database: what one leaves pending must not be sent while the next one runs."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest

from bivelio_server.kit.context import Services
from bivelio_server.webhooks.delivery import LANE
from tests.webhooks.desk import Desk
from tests.working import working


@pytest.fixture
def desk(owner: psycopg.Connection) -> Iterator[Desk]:
    yield Desk(owner)
    owner.execute("update webhook_endpoints set deleted_at = now() where deleted_at is null")


@pytest.fixture
async def worker(services: Services) -> AsyncIterator[None]:
    """Deliveries are made."""
    async with working(services, lanes=[LANE]):
        yield
