"""What a developer does with the sandbox: move its clock, clear it, see what would have been sent."""

from datetime import timedelta
from typing import Final

from bivelio_server.durable import spawn
from bivelio_server.integrations import simulated
from bivelio_server.kit.caller import Environment, Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, InsufficientScope, Problem
from bivelio_server.kit.models import Nothing, Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.sandbox import purge, queries
from bivelio_server.sandbox.schemas import (
    ClockAdvance,
    MessageList,
    MessagePage,
    SandboxClock,
    SandboxReset,
    SimulatedMessage,
)

#: Far enough for every schedule, and near enough for every time that is counted from it.
MAX_AHEAD: Final = timedelta(days=3660)

#: What the audit log calls it.
_CLOCKS: Final = "sandbox_clocks"

feature: Final = Feature(
    "sandbox", doors=DIRECT_DOORS, doors_reason="a developer's tools: a run that moves its own clock or clears itself"
    " could not go on",
)  # fmt: skip


@feature.operation(
    "get_clock", scope=Scope.read, effect=Effect.read,
    summary=Text("Dice qué hora es en el sandbox", "Tell the time in the sandbox"),
)  # fmt: skip
async def get_clock(context: Context, data: Nothing) -> SandboxClock:  # noqa: ARG001 - every operation takes its input
    _require_sandbox(context)
    return _clock(context, await queries.ahead(context))


@feature.operation(
    "advance_clock", scope=Scope.write, effect=Effect.transactional, errors=[Impossible],
    summary=Text("Adelanta el reloj del sandbox", "Move the clock of the sandbox ahead"),
)  # fmt: skip
async def advance_clock(context: Context, data: ClockAdvance) -> SandboxClock:
    """Waits and retries come due, and what is 24 hours old by then is removed soon after."""
    _require_sandbox(context)
    ahead = await queries.advance(context, timedelta(seconds=data.seconds))
    if ahead > MAX_AHEAD:
        raise Impossible(Problem("seconds", "max", _TOO_FAR))
    before = int(ahead.total_seconds()) - data.seconds
    context.changed(_CLOCKS, _id(context), {"ahead_seconds": before}, {"ahead_seconds": before + data.seconds})
    await spawn(context, purge.TASK, {})
    return _clock(context, ahead)


@feature.operation(
    "reset", scope=Scope.admin, effect=Effect.transactional, errors=[Conflict], irreversible=True,
    summary=Text("Vacía el sandbox y pone su reloj en hora", "Clear the sandbox and set its clock right"),
)  # fmt: skip
async def reset(context: Context, data: Nothing) -> SandboxReset:  # noqa: ARG001 - every operation takes its input
    _require_sandbox(context)
    ahead = await queries.ahead(context)
    removed = await queries.reset(context)
    context.changed(
        _CLOCKS, _id(context), {"ahead_seconds": int(ahead.total_seconds()), "rows": removed},
        {"ahead_seconds": 0, "rows": 0},
    )  # fmt: skip
    return SandboxReset(removed=removed)


@feature.operation(
    "list_messages", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los mensajes que no se enviaron por ser sandbox", "List the messages that the sandbox kept"),
)  # fmt: skip
async def list_messages(context: Context, data: MessageList) -> MessagePage:
    _require_sandbox(context)
    rows, total = await simulated.list_messages(context, data, data.channel, data.recipient)
    messages = [SimulatedMessage.model_validate(row) for row in rows]
    return MessagePage(messages=messages, pagination=Pagination.of(data, total))


def _id(context: Context) -> str:
    return str(context.caller.org_id)


def _require_sandbox(context: Context) -> None:
    if context.caller.environment is not Environment.sandbox:
        raise InsufficientScope(_SANDBOX_ONLY)


def _clock(context: Context, ahead: timedelta) -> SandboxClock:
    now = context.services.clock.outside() + ahead
    return SandboxClock(now=now, ahead_seconds=int(ahead.total_seconds()))


_SANDBOX_ONLY: Final = Text(
    "Esta operación es del sandbox: usa una clave de prueba (bv_test_sk_…).",
    "This operation belongs to the sandbox: use a test key (bv_test_sk_…).",
)
_TOO_FAR: Final = Text(
    f"El reloj del sandbox quedaría a más de {MAX_AHEAD.days} días; ponlo en hora con sandbox.reset.",
    f"The clock of the sandbox would be more than {MAX_AHEAD.days} days ahead; set it right with sandbox.reset.",
)
