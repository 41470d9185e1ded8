"""Noticing that another model is configured than boxes have."""

from datetime import timedelta
from typing import Final

from bivelio_server.ai.port import LANGUAGE
from bivelio_server.boxes.generations import queries
from bivelio_server.boxes.generations.changing import follow
from bivelio_server.boxes.ingestion.work import system_caller
from bivelio_server.durable import Chore
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin

_BATCH: Final = 100


async def follow_models(services: Services) -> int:
    """How many boxes have begun to change theirs."""
    tenants = await services.database.call_all("select org_id, environment from box_tenants()")
    callers = [system_caller(org_id, Environment(environment)) for org_id, environment in tenants]
    return sum([await follow_model(services, caller) for caller in callers])


async def follow_model(services: Services, caller: Caller) -> int:
    """The same of one organisation and environment."""
    ai = services.providers.of(LANGUAGE, services, caller)
    if ai is None:
        return 0
    changed, after = 0, ""
    while True:
        async with transaction(caller, services, Origin(Door.http)) as context:
            boxes = await queries.boxes_of_others(context, ai.embedding_model, after=after, limit=_BATCH)
            for box_id in boxes:
                await follow(context, box_id, ai.embedding_model)
        changed += len(boxes)
        if len(boxes) < _BATCH:
            return changed
        after = boxes[-1]


CHORE: Final = Chore("box_models", timedelta(minutes=5), follow_models)
