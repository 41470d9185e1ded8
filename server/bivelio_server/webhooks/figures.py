"""How deliveries stand, over all tenants, for those who run the server."""

from dataclasses import dataclass
from datetime import datetime

from bivelio_server.kit.db import Database


@dataclass(frozen=True, slots=True)
class DeliveryFigures:
    """`waiting` for their next attempt, `due` for a worker; `endpoints` by status."""

    waiting: int
    due: int
    oldest_due: datetime | None
    endpoints: dict[str, int]


async def delivery_figures(database: Database, now: datetime) -> DeliveryFigures:
    row = await database.call("select waiting, due, oldest_due from webhook_figures(%s)", (now,))
    assert row is not None
    endpoints = await database.call_all("select status, endpoints from webhook_endpoint_figures()")
    waiting, due, oldest_due = row
    return DeliveryFigures(waiting, due, oldest_due, dict(endpoints))
