"""Every query on agents, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from bivelio_server.agents.execution_schemas import AgentApprovalList, AgentExecutionList
from bivelio_server.agents.models import Agent, Approval, Execution
from bivelio_server.agents.schemas import Status
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, identity, only, page_of

_LIST: Final = """
    select id, name, description, category, status, model
      from agents
     where org_id = %(org_id)s and environment = %(environment)s
       and case when cast(%(deleted_after)s as timestamptz) is null then deleted_at is null
                else deleted_at > %(deleted_after)s end
     order by created_at desc, id desc
"""
_FIGURES: Final = """
    select d.agent_id, (sum(d.latency_ms) / nullif(sum(d.completed), 0))::int as latency_ms,
           coalesce(sum(d.invocations) filter (where d.day = t.today), 0)::int as today
      from (select (cast(%(now)s as timestamptz) at time zone o.timezone)::date as today
              from organizations o where o.id = %(org_id)s) t
      join agent_days d on d.org_id = %(org_id)s and d.environment = %(environment)s and d.agent_id = any (%(ids)s)
                       and d.day > t.today - 30
     group by d.agent_id
"""
_COUNT: Final = """
    insert into agent_days (org_id, environment, agent_id, day, invocations, completed, latency_ms, created_at)
    select %(org_id)s, %(environment)s, %(agent_id)s, (cast(%(now)s as timestamptz) at time zone o.timezone)::date, 1,
           %(completed)s, %(latency_ms)s, %(now)s
      from organizations o where o.id = %(org_id)s
    on conflict (org_id, environment, agent_id, day) do update
       set invocations = agent_days.invocations + 1, completed = agent_days.completed + excluded.completed,
           latency_ms = agent_days.latency_ms + excluded.latency_ms
"""


class Listed(NamedTuple):
    """An agent, without what only its definition tells."""

    id: str
    name: str
    description: str | None
    category: str
    status: Status
    model: str | None


class Figures(NamedTuple):
    avg_latency_ms: int | None
    invocations_today: int


async def all_agents(context: Context, *, deleted_after: datetime | None = None) -> list[Listed]:
    """Those of the organisation's own, and those built in that it has changed; newest first. Deleted ones instead when
    a time is given."""
    rows = await context.session.run(_LIST, {**identity(context.caller), "deleted_after": deleted_after})
    return [Listed(*row) for row in rows]


async def find_agent(context: Context, agent_id: str, *, lock: bool = False) -> Agent | None:
    if not is_well_formed(agent_id):
        return None
    query = business(Agent, context.caller).where(Agent.id == agent_id, Agent.deleted_at.is_(None))
    found: Agent | None = await context.session.scalar(query.with_for_update() if lock else query)
    return found


async def get_deleted(context: Context, agent_id: str, *, since: datetime) -> Agent:
    """Raises NotFound."""
    query = business(Agent, context.caller).where(Agent.deleted_at > since)
    return await only(context.session, query.with_for_update(), agent_id)


async def add_agent(context: Context, values: dict[str, object]) -> None:
    """Unless it is there."""
    await context.session.execute(insert(Agent).values(values).on_conflict_do_nothing())


async def names_agent(context: Context, agent_id: str) -> bool:
    """Whether there is such an agent, deleted ones too."""
    query = select(Agent.id).where(
        Agent.org_id == context.caller.org_id,
        Agent.environment == context.caller.environment.value,
        Agent.id == agent_id,
    )
    return is_well_formed(agent_id) and await context.session.scalar(query) is not None


async def figures_of(context: Context, agent_ids: Sequence[str]) -> dict[str, Figures]:
    """Of those that were ever invoked."""
    parameters = {**identity(context.caller), "ids": list(agent_ids), "now": context.now}
    rows = await context.session.run(_FIGURES, parameters)
    return {row.agent_id: Figures(row.latency_ms, row.today) for row in rows}


async def count_invocation(context: Context, agent_id: str, *, latency_ms: int | None) -> None:
    """`latency_ms` of an execution that completed."""
    await context.session.run(
        _COUNT,
        {
            **identity(context.caller),
            "agent_id": agent_id,
            "now": context.now,
            "completed": int(latency_ms is not None),
            "latency_ms": latency_ms or 0,
        },
    )


async def list_executions(context: Context, data: AgentExecutionList) -> tuple[list[Execution], int]:
    query = business(Execution, context.caller)
    if data.agent_id is not None:
        query = query.where(Execution.agent_id == data.agent_id)
    if data.status is not None:
        query = query.where(Execution.status == data.status)
    return await page_of(context.session, query.order_by(Execution.started_at.desc(), Execution.id.desc()), data)


async def get_execution(
    context: Context, execution_id: str, *, field: str = "execution_id", lock: bool = False
) -> Execution:
    """Raises NotFound."""
    query = business(Execution, context.caller)
    return await only(context.session, query.with_for_update() if lock else query, execution_id, field=field)


async def approvals_of(context: Context, execution_id: str) -> list[Approval]:
    """Oldest first."""
    query = business(Approval, context.caller).where(Approval.execution_id == execution_id)
    return list(await context.session.scalars(query.order_by(Approval.created_at, Approval.id)))


async def list_approvals(context: Context, data: AgentApprovalList) -> tuple[list[Approval], int]:
    query = business(Approval, context.caller)
    if data.execution_id is not None:
        query = query.where(Approval.execution_id == data.execution_id)
    if data.status is not None:
        query = query.where(Approval.status == data.status)
    return await page_of(context.session, query.order_by(Approval.created_at.desc(), Approval.id.desc()), data)


async def get_approval(context: Context, approval_id: str, *, lock: bool = False) -> Approval:
    """Raises NotFound."""
    query = business(Approval, context.caller)
    return await only(context.session, query.with_for_update() if lock else query, approval_id, field="approval_id")
