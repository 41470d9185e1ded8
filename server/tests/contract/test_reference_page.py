"""The reference that a server shows of itself."""

import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.operations import Catalogue
from tests.world import World

pytestmark = pytest.mark.anyio


async def test_the_document_is_served_whole_each_time(world: World) -> None:
    first, second = [await world.http.get("/openapi.json") for _ in range(2)]

    assert (first.status_code, first.headers["content-type"]) == (200, "application/json")
    assert {operation.path for operation in Catalogue(FEATURES)} <= set(first.json()["paths"])
    assert second.content == first.content


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/assets/swagger-ui.css"])
async def test_the_page_is_served(world: World, path: str) -> None:
    assert (await world.http.get(path)).status_code == 200
