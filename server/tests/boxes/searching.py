"""Asking a box, as tests do."""

from typing import Any

from tests.boxes.stocking import Stock
from tests.world import Client

Json = dict[str, Any]


async def search(client: Client, box: Stock, query: str, **asked: Any) -> list[Json]:
    found = await client.call("/v1/boxes/search", {"box_id": box.id, "query": query, **asked})
    assert found["units_consumed"] == 1
    results: list[Json] = found["results"]
    return results


async def texts(client: Client, box: Stock, query: str, **asked: Any) -> list[str]:
    return [result["text"] for result in await search(client, box, query, **asked)]


async def refused(client: Client, box: Stock, query: str = "caldera", **asked: Any) -> tuple[int, str]:
    reply = await client.post("/v1/boxes/search", {"box_id": box.id, "query": query, **asked})
    return reply.status_code, reply.json()["error"]["code"]
