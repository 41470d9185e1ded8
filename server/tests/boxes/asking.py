"""Searching as the doors do, without one: for tests that search very often, and for processes of their own."""

from uuid import UUID

from bivelio_server.boxes.retrieval.searching import Found, Question, embed, prepare, search
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin

ORIGIN = Origin(Door.http, None, None)


async def ask(
    services: Services, org_id: UUID, user_id: UUID, box_id: str, text: str, *, top_k: int = 10,
    environment: str = "live",
) -> list[Found]:  # fmt: skip
    caller = Caller(org_id, Environment(environment), f"user:{user_id}", user_id, frozenset({"read"}))
    async with transaction(caller, services, ORIGIN) as context:
        prepared = await prepare(context, box_id, BoxRole.viewer)
    vectors = await embed(services, caller, prepared, text)
    async with transaction(caller, services, ORIGIN) as context:
        return await search(context, prepared, vectors, Question(text, top_k=top_k))
