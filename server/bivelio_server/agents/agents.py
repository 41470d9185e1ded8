"""Finding an agent: one that is built in, one of the organisation's own, or one built in that it has changed."""

from collections.abc import Sequence

from bivelio_server.agents import queries
from bivelio_server.agents.builtin import BUILT_IN
from bivelio_server.agents.models import Agent
from bivelio_server.agents.queries import Listed
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.rows import identity


async def agent_of(context: Context, agent_id: str, *, field: str = "id") -> AgentDefinition:
    """Raises NotFound, naming the input `field`."""
    row = await queries.find_agent(context, agent_id)
    if row is None and agent_id not in BUILT_IN:
        raise NotFound(field)
    return BUILT_IN[agent_id] if row is None else AgentDefinition.model_validate(row)


async def row_of(context: Context, agent_id: str) -> Agent:
    """The agent's row, locked; a new one for what is built in and was not changed yet. Raises NotFound."""
    built_in = BUILT_IN.get(agent_id)
    if built_in is not None:
        await queries.add_agent(context, _values(context, built_in))
    row = await queries.find_agent(context, agent_id, lock=True)
    if row is None:
        raise NotFound("id")
    return row


def in_order(rows: Sequence[Listed]) -> list[Listed]:
    """All agents of which these have rows: first those that are built in."""
    changed = {row.id: row for row in rows if row.id in BUILT_IN}
    built_in = [changed.get(slug) or _listed(agent) for slug, agent in BUILT_IN.items()]
    return [*built_in, *(row for row in rows if row.id not in BUILT_IN)]


def _listed(agent: AgentDefinition) -> Listed:
    return Listed(*(getattr(agent, name) for name in Listed._fields))


def _values(context: Context, agent: AgentDefinition) -> dict[str, object]:
    now = context.now
    return {
        **identity(context.caller), **agent.model_dump(), "created_by": context.caller.actor, "created_at": now,
        "updated_at": now, "deleted_at": None,
    }  # fmt: skip
