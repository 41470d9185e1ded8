"""Removing the vectors that no chunk is searched by any more: of texts that are gone, and of former models."""

from datetime import timedelta
from typing import Final

from bivelio_server.boxes.generations import queries
from bivelio_server.boxes.ingestion.work import system_caller
from bivelio_server.durable import Chore
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin

#: Vectors looked at in one transaction: who adds chunks waits for it.
_BATCH: Final = 2000


async def remove_unused(services: Services, caller: Caller) -> int:
    """Those of one organisation and environment; how many there were."""
    removed, after = 0, ("", b"")
    while True:
        async with transaction(caller, services, Origin(Door.http)) as context:
            gone, last = await queries.remove_unused(context, after, _BATCH)
        removed += gone
        if last is None:
            return removed
        after = last


async def remove_all_unused(services: Services) -> int:
    tenants = await services.database.call_all("select org_id, environment from box_tenants()")
    return sum(
        [
            await remove_unused(services, system_caller(org_id, Environment(environment)))
            for org_id, environment in tenants
        ]
    )


CHORE: Final = Chore("box_vectors", timedelta(days=1), remove_all_unused, lease=timedelta(hours=1))
