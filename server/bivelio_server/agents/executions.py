"""What became of invocations: list them, look at one with its trace."""

from typing import Final

from bivelio_server.agents import queries
from bivelio_server.agents.builtin import BUILT_IN
from bivelio_server.agents.execution_schemas import (
    AgentExecutionList,
    AgentExecutionPage,
    AgentExecutionReference,
    AgentExecutionView,
)
from bivelio_server.agents.views import execution_view, summary_of
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text

feature: Final = Feature("agents")


@feature.operation(
    "list_executions", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista las ejecuciones de los agentes", "List the executions of agents"),
)  # fmt: skip
async def list_executions(context: Context, data: AgentExecutionList) -> AgentExecutionPage:
    asked = data.agent_id
    if asked is not None and asked not in BUILT_IN and not await queries.names_agent(context, asked):
        raise NotFound("agent_id")
    rows, total = await queries.list_executions(context, data)
    return AgentExecutionPage(executions=[summary_of(row) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "get_execution", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una ejecución con su traza", "Get an execution with its trace"),
)  # fmt: skip
async def get_execution(context: Context, data: AgentExecutionReference) -> AgentExecutionView:
    row = await queries.get_execution(context, data.execution_id)
    return execution_view(row, await queries.approvals_of(context, row.id))
