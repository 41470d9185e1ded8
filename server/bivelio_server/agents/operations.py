"""Agents: define, list, pause; invoke."""

from typing import Any, Final

from bivelio_server.agents import invoking, queries
from bivelio_server.agents.agents import agent_of, in_order, row_of
from bivelio_server.agents.builtin import BUILT_IN
from bivelio_server.agents.checking import check
from bivelio_server.agents.errors import AgentInactive
from bivelio_server.agents.execution_schemas import AgentDelta, AgentToolUse
from bivelio_server.agents.models import Agent
from bivelio_server.agents.pricing import MOST
from bivelio_server.agents.queries import Figures, Listed
from bivelio_server.agents.schemas import (
    AgentCreate,
    AgentDefinition,
    AgentList,
    AgentPage,
    AgentReference,
    AgentSummary,
    AgentUpdate,
    AgentView,
)
from bivelio_server.ai.port import LANGUAGE
from bivelio_server.kit import json
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, InsufficientScope, NotFound, StaleVersion, null_refused
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import ALL_DOORS, DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.origin import Door
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.streaming import Streaming
from bivelio_server.kit.text import Text

#: Of an organisation's own, in each environment.
MAX_AGENTS: Final = 200
_DEFINING: Final[dict[str, Any]] = {
    "doors": DIRECT_DOORS, "doors_reason": "an automation must not settle what automations may do",
}  # fmt: skip
_NONE: Final = Figures(None, 0)
_NOT_NULL: Final = frozenset({"name", "category", "instructions", "labels", "tools", "limits"})

feature: Final = Feature("agents")


@feature.operation(
    "list", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los agentes", "List the agents"),
)  # fmt: skip
async def list_agents(context: Context, data: AgentList) -> AgentPage:
    if data.deleted:
        found = await queries.all_agents(context, deleted_after=context.now - RESTORABLE)
    else:
        found = in_order(await queries.all_agents(context))
    chosen = [agent for agent in found if _is_asked_for(agent, data)]
    page = chosen[data.offset : data.offset + data.per_page]
    figures = await queries.figures_of(context, [agent.id for agent in page])
    used = _model_in_use(context)
    return AgentPage(
        agents=[_summary(agent, figures.get(agent.id, _NONE), used) for agent in page],
        pagination=Pagination.of(data, len(chosen)),
    )


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un agente", "Get an agent"),
)  # fmt: skip
async def get(context: Context, data: AgentReference) -> AgentView:
    row = await queries.find_agent(context, data.id)
    return await _view(context, await agent_of(context, data.id) if row is None else row)


@feature.operation(
    "create", scope=Scope.admin, effect=Effect.transactional, errors=[Impossible, InsufficientScope, Conflict],
    **_DEFINING, summary=Text("Crea un agente", "Create an agent"),
)  # fmt: skip
async def create(context: Context, data: AgentCreate) -> AgentView:
    if len(await queries.all_agents(context)) >= MAX_AGENTS + len(BUILT_IN):
        raise Conflict(_TOO_MANY, details={"limit": MAX_AGENTS})
    now = context.now
    row = Agent(
        **identity(context.caller), **data.model_dump(), id=new_id("ag"), version=1,
        created_by=context.caller.actor, created_at=now, updated_at=now,
    )  # fmt: skip
    check(AgentDefinition.model_validate(row), context)
    context.session.add(row)
    await context.session.flush()
    return await _view(context, row)


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional,
    errors=[NotFound, Impossible, InsufficientScope, StaleVersion],
    **_DEFINING, summary=Text("Actualiza un agente", "Update an agent"),
)  # fmt: skip
async def update(context: Context, data: AgentUpdate) -> AgentView:
    row = await row_of(context, data.id)
    require_version(row, data.if_version)
    given = data.model_dump(include=data.model_fields_set - {"id", "if_version"})
    missing = sorted(name for name in given.keys() & _NOT_NULL if given[name] is None)
    if missing:
        raise null_refused(*missing)
    before = json.dumps(AgentDefinition.model_validate(row).model_dump())
    for name, value in given.items():
        setattr(row, name, value)
    after = AgentDefinition.model_validate(row)
    check(after, context)
    if json.dumps(after.model_dump()) != before:
        row.version, row.updated_at = row.version + 1, context.now
    await context.session.flush()
    return await _view(context, row)


@feature.operation(
    "activate", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    **_DEFINING, summary=Text("Activa un agente", "Activate an agent"),
)  # fmt: skip
async def activate(context: Context, data: AgentReference) -> AgentView:
    return await _set_status(context, data.id, "active")


@feature.operation(
    "pause", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    **_DEFINING, summary=Text("Pausa un agente: no se puede invocar", "Pause an agent: it cannot be invoked"),
)  # fmt: skip
async def pause(context: Context, data: AgentReference) -> AgentView:
    return await _set_status(context, data.id, "paused")


@feature.operation(
    "delete", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Conflict],
    **_DEFINING,
    summary=Text("Borra un agente; se puede restaurar durante 30 días", "Delete an agent; restorable for 30 days"),
)  # fmt: skip
async def delete(context: Context, data: AgentReference) -> AgentView:
    if data.id in BUILT_IN:
        raise Conflict(_BUILT_IN, details={"field": "id"})
    row = await row_of(context, data.id)
    row.deleted_at = context.now
    await context.session.flush()
    return await _view(context, row)


@feature.operation(
    "restore", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    **_DEFINING, summary=Text("Restaura un agente borrado, en pausa", "Restore a deleted agent, paused"),
)  # fmt: skip
async def restore(context: Context, data: AgentReference) -> AgentView:
    row = await queries.get_deleted(context, data.id, since=context.now - RESTORABLE)
    row.deleted_at, row.status, row.updated_at = None, "paused", context.now
    await context.session.flush()
    return await _view(context, row)


feature.external(
    "invoke", scope=Scope.write, summary=Text("Invoca un agente", "Invoke an agent"),
    prepare=invoking.prepare, perform=invoking.perform, record=invoking.record,
    record_failure=invoking.record_failure, errors=[NotFound, AgentInactive], irreversible=False, credits=MOST,
    stream=Streaming({"delta": AgentDelta, "tool": AgentToolUse}, always=False),
    doors=ALL_DOORS - {Door.agent}, doors_reason="agents that invoke agents could go on without end",
)  # fmt: skip


def _is_asked_for(agent: Listed, data: AgentList) -> bool:
    return data.status in ("all", agent.status) and data.category in ("all", agent.category)


def _summary(agent: Listed, figures: Figures, used: str) -> AgentSummary:
    return AgentSummary(**{**agent._asdict(), "model": agent.model or used}, **figures._asdict())


def _model_in_use(context: Context) -> str:
    """What an agent works with that names no model."""
    ai = context.services.providers.of(LANGUAGE, context.services, context.caller)
    return "none" if ai is None else ai.model


async def _view(context: Context, agent: Agent | AgentDefinition) -> AgentView:
    figures = (await queries.figures_of(context, [agent.id])).get(agent.id, _NONE)
    times = {name: getattr(agent, name, None) for name in ("created_at", "updated_at", "deleted_at")}
    fields = AgentDefinition.model_validate(agent).model_dump()
    return AgentView(**fields, **times, **figures._asdict(), built_in=agent.id in BUILT_IN)


async def _set_status(context: Context, agent_id: str, status: str) -> AgentView:
    row = await row_of(context, agent_id)
    if row.status != status:
        row.status, row.updated_at = status, context.now
        await context.session.flush()
    return await _view(context, row)


_TOO_MANY: Final = Text(
    f"Ya hay {MAX_AGENTS} agentes, el máximo; borra alguno.", f"There are {MAX_AGENTS} agents, the most; delete one."
)
_BUILT_IN: Final = Text(
    "Los agentes incluidos no se borran; páusalo con agents.pause.",
    "Agents that are built in are not deleted; pause it with agents.pause.",
)
