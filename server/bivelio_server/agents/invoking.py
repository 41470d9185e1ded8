"""Invoking an agent: prepared in one transaction, performed in none, recorded in another."""

import time
from datetime import datetime
from typing import Final

from pydantic import PrivateAttr

from bivelio_server.agents import queries
from bivelio_server.agents.agents import agent_of
from bivelio_server.agents.classification import classify
from bivelio_server.agents.conversation import Conversation, usage_of
from bivelio_server.agents.errors import AgentInactive, BrokenOff, BrokenOffForGood
from bivelio_server.agents.events import EXECUTED
from bivelio_server.agents.execution_schemas import AgentInvocation, AgentInvoke
from bivelio_server.agents.masking import hidden
from bivelio_server.agents.measuring import measured
from bivelio_server.agents.models import Approval, Execution
from bivelio_server.agents.outcome import Outcome, milliseconds_since
from bivelio_server.agents.pricing import price_of
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.agents.tools import Hand
from bivelio_server.agents.views import invocation_of
from bivelio_server.ai.port import AI, LANGUAGE, NeedsGenerativeModel
from bivelio_server.ai.usage import count, count_calls
from bivelio_server.events.recording import record as record_event
from bivelio_server.kit import json
from bivelio_server.kit.context import Cause, Context, OutgoingCall
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Output
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.mail.port import one_line
from bivelio_server.notices.recording import remind


class Prepared(Output):
    """An execution as it begins; the agent as it is then. `context` is JSON, empty where there is none."""

    execution_id: str
    agent: AgentDefinition
    text: str
    context: str
    price: int
    streams: bool
    depth: int
    request_id: str | None
    address: str | None
    #: What it has come to, also when it is broken off; of this process only.
    _so_far: Outcome = PrivateAttr(default_factory=Outcome)

    @property
    def so_far(self) -> Outcome:
        return self._so_far


async def prepare(context: Context, data: AgentInvoke) -> Prepared:
    agent = await agent_of(context, data.agent_id, field="agent_id")
    if agent.status != "active":
        raise AgentInactive(details={"agent_id": agent.id})
    written = json.dumps(data.input.context).decode() if data.input.context else ""
    prepared = Prepared(
        execution_id=new_id("age"), agent=agent, text=data.input.text, context=written,
        price=price_of(data.input.text, written), streams=data.stream, depth=context.cause.depth,
        request_id=context.origin.request_id, address=context.origin.address,
    )  # fmt: skip
    context.charge(prepared.price)
    context.session.add(_begun(context, prepared, data))
    await context.session.flush()
    if data.stream:
        context.stream_call()
    return prepared


def _begun(context: Context, prepared: Prepared, data: AgentInvoke) -> Execution:
    agent, caller = prepared.agent, context.caller
    return Execution(
        **identity(caller), id=prepared.execution_id, agent_id=agent.id, agent_name=agent.name,
        agent_version=agent.version, status="running", input=hidden(data.input.model_dump()), output=None, error=None,
        trace=[], engine=None, model=None, usage=usage_of(Outcome()), tokens_used=0, credits_consumed=0, duration_ms=0,
        invoked_by=caller.actor, on_behalf_of=caller.on_behalf_of, door=context.origin.door.value,
        request_id=context.origin.request_id, cause=context.cause.origin, depth=context.cause.depth,
        started_at=context.now, completed_at=None,
    )  # fmt: skip


async def perform(call: OutgoingCall, prepared: Prepared) -> Outcome:
    """Raises BrokenOff; what was done until then is in `prepared`."""
    outcome, began = prepared.so_far, time.monotonic()
    try:
        with measured(outcome):
            await _perform(call, prepared, outcome)
    except IntegrationFailed as error:
        kind = BrokenOff if error.retryable else BrokenOffForGood
        raise kind(error, {"execution_id": prepared.execution_id}) from error
    finally:
        outcome.duration_ms = milliseconds_since(began)
    return outcome


async def _perform(call: OutgoingCall, prepared: Prepared, outcome: Outcome) -> None:
    agent, ai = prepared.agent, _model_for(call, prepared.agent)
    if agent.labels:
        context = json.loads_trusted(prepared.context) if prepared.context else {}
        await classify(ai, agent, prepared.text, context, call.clock, outcome)
        return
    # What the agent does has it as its cause, one further from whatever set off the agent itself.
    cause = Cause(f"agent:{prepared.execution_id}", prepared.depth + 1)
    origin = Origin(Door.agent, prepared.request_id, prepared.address)
    hand = Hand(call.services, call.caller, agent.id, origin, cause)
    conversation = Conversation(
        ai, agent, hand, outcome, key=call.idempotency_key, tell=call.tell, streams=prepared.streams
    )
    await conversation.go(prepared.text, prepared.context)


def _model_for(call: OutgoingCall, agent: AgentDefinition) -> AI:
    """Raises NeedsGenerativeModel where there is none at all, UnknownModel."""
    ai = call.provider(LANGUAGE)
    if ai is None:
        raise NeedsGenerativeModel
    return ai if agent.model is None else ai.by(agent.model)


async def record(context: Context, prepared: Prepared, outcome: Outcome) -> AgentInvocation:
    context.charge(prepared.price)
    row = await queries.get_execution(context, prepared.execution_id, lock=True)
    row.status, row.output, row.error = outcome.status, outcome.output, None
    row.credits_consumed = context.credits
    _keep(row, outcome, context.now if outcome.status == "completed" else None)
    await _count(context, outcome)
    approvals = [_asked(context, row, number, outcome) for number in range(len(outcome.asked))]
    context.session.add_all(approvals)
    await context.session.flush()
    if approvals:
        await _remind(context, approvals[0])
    invocation = invocation_of(row, approvals)
    if outcome.status == "completed":
        await record_event(context, EXECUTED, invocation)
    latency = outcome.duration_ms if outcome.status == "completed" else None
    await queries.count_invocation(context, row.agent_id, latency_ms=latency)
    return invocation


def _asked(context: Context, row: Execution, number: int, outcome: Outcome) -> Approval:
    asked = outcome.asked[number]
    return Approval(
        **identity(context.caller), id=new_id("agp"), execution_id=row.id, agent_id=row.agent_id,
        agent_name=row.agent_name, operation=asked.operation, arguments=asked.arguments, status="pending",
        decided_by=None, decided_at=None, comment=None, result=None, error=None, done_at=None, created_at=context.now,
    )  # fmt: skip


async def _remind(context: Context, approval: Approval) -> None:
    """One unread notice an agent, however much it asks for."""
    caller = context.caller
    await remind(
        context.session, org_id=caller.org_id, environment=caller.environment, kind="approval.requested",
        resource_id=approval.agent_id, text=_WAITING.format(agent=one_line(approval.agent_name)),
        details={"agent_id": approval.agent_id, "approval_id": approval.id}, now=context.now,
    )  # fmt: skip


async def record_failure(context: Context, prepared: Prepared, error: IntegrationFailed) -> None:
    row = await queries.get_execution(context, prepared.execution_id, lock=True)
    row.status, row.credits_consumed = "failed", 0
    row.error = {**error.render(DEFAULT_LANGUAGE), "message_en": error.text.en}
    _keep(row, prepared.so_far, context.now)
    await _count(context, prepared.so_far)
    await count(context, error)
    await context.session.flush()
    await queries.count_invocation(context, row.agent_id, latency_ms=None)


def _keep(row: Execution, outcome: Outcome, completed_at: datetime | None) -> None:
    row.engine, row.model = outcome.engine, outcome.model
    row.usage, row.tokens_used = usage_of(outcome), outcome.usage.total
    row.trace, row.duration_ms, row.completed_at = outcome.trace, outcome.duration_ms, completed_at


async def _count(context: Context, outcome: Outcome) -> None:
    if outcome.engine is not None and outcome.model is not None:
        await count_calls(context, outcome.engine, outcome.model, usage=outcome.usage, calls=outcome.answers)


_WAITING: Final = Text(
    "El agente «{agent}» espera una decisión. Todas las pendientes están en agents/list_approvals.",
    "The agent “{agent}” waits for a decision. All that are pending are in agents/list_approvals.",
)
