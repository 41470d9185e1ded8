"""An application with a shop, whose operations cost credits."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx2
import pytest
from structlog.testing import capture_logs

from bivelio_server.app import create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from tests.usage.shops import Shop
from tests.world import Client

Visit = Callable[[Client], Client]


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def shopping(services: Services, shop: Shop) -> Services:
    """The services with the shop among their features."""
    return shop.services(services)


@pytest.fixture
async def visit(shopping: Services, installation: Installation) -> AsyncIterator[Visit]:
    """The same credentials, at the application with the shop."""
    transport = httpx2.ASGITransport(app=create_app(shopping, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield lambda client: Client(http, client.headers)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Failures are meant here; their tracebacks would only take time."""
    with capture_logs():
        yield
