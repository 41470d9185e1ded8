"""Running an operation: its transactions, and what surrounds each of them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bivelio_server.kit import audit
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context, OutgoingCall, Services
from bivelio_server.kit.errors import APIError, IntegrationFailed
from bivelio_server.kit.idempotency import Claim, KeyInFlight, KeyOfAnotherRequest, Replayed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import InOneTransaction, Operation, ThroughOutside
from bivelio_server.kit.origin import Origin


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation by a door that has no transaction of its own (HTTP; later MCP and agents)."""

    operation: Operation
    caller: Caller
    data: Input
    services: Services
    origin: Origin
    cause: Cause = Cause()  # noqa: RUF009 - frozen
    claim: Claim | None = None

    def transaction(self) -> AbstractAsyncContextManager[Context]:
        return transaction(self.caller, self.services, self.origin, self.cause)


@asynccontextmanager
async def transaction(
    caller: Caller,
    services: Services,
    origin: Origin,
    cause: Cause = Cause(),  # noqa: B008 - frozen
) -> AsyncIterator[Context]:
    """A context whose changes are committed together at the end; then the waiting workers are woken."""
    async with services.database.transaction(caller) as session:
        context = Context(caller, session, services, origin, cause)
        yield context
    for topic in context.topics:
        services.wakeups.wake(topic)


async def execute(call: Call) -> Output:
    """The operation's output, after its effects are committed. Raises APIError, Replayed."""
    body = call.operation.body
    if isinstance(body, InOneTransaction):
        return await _execute_in_one(call, body)
    return await _execute_outside(call, body)


async def handle(context: Context, operation: Operation, body: InOneTransaction[Any, Any], data: Input) -> Output:
    """The handler and its entry in the audit log, in the transaction of `context`; any door's."""
    output: Output = await body.handle(context, data)
    if operation.writes:
        await audit.write(context, operation.name)
    return output


async def record(
    context: Context, operation: Operation, body: ThroughOutside[Any, Any, Any, Any], prepared: Output, outcome: Any
) -> Output:
    """The last part of an external operation and its entry in the audit log, in the transaction of `context`."""
    output: Output = await body.record(context, prepared, outcome)
    await audit.write(context, operation.name)
    return output


def outgoing_call(services: Services, idempotency_key: str) -> OutgoingCall:
    return OutgoingCall(services.http, services.cipher, services.clock, idempotency_key)


async def _execute_in_one(call: Call, body: InOneTransaction[Any, Any]) -> Output:
    claim = call.claim
    async with _refusals_kept(call), call.transaction() as context:
        if claim is not None:
            await claim.take(context)
        output = await handle(context, call.operation, body, call.data)
        if claim is not None:
            await claim.keep(context, output, provisional=context.later is not None)
    if context.later is None:
        return output
    final: Output = await context.later()
    if claim is not None:
        async with call.transaction() as context:
            await claim.keep(context, final)
    return final


async def _execute_outside(call: Call, body: ThroughOutside[Any, Any, Any, Any]) -> Output:
    claim = call.claim
    async with _refusals_kept(call), call.transaction() as context:
        if claim is not None:
            await claim.take(context)
            await claim.hold(context)
        prepared = await body.prepare(context, call.data)
        await audit.write(context, call.operation.name, complete=False)
    async with _refusals_kept(call, held=True):
        outcome = await _perform(call, body, prepared)
        async with call.transaction() as context:
            output = await record(context, call.operation, body, prepared, outcome)
            if claim is not None:
                await claim.keep(context, output)
    return output


async def _perform(call: Call, body: ThroughOutside[Any, Any, Any, Any], prepared: Output) -> Any:
    key = call.claim.outgoing_key(call.caller) if call.claim is not None else new_id("call")
    try:
        return await body.perform(outgoing_call(call.services, key), prepared)
    except IntegrationFailed as error:
        async with call.transaction() as context:
            await body.record_failure(context, prepared, error)
            await audit.write(context, call.operation.name)
        raise


@asynccontextmanager
async def _refusals_kept(call: Call, *, held: bool = False) -> AsyncIterator[None]:
    """Let a refusal be repeated too, unless somebody else has the key by now; a `held` one is ours."""
    try:
        yield
    except (KeyInFlight, KeyOfAnotherRequest):
        raise
    except APIError as error:
        if call.claim is not None:
            with suppress(Replayed, KeyInFlight, KeyOfAnotherRequest):
                async with call.transaction() as context:
                    if not held:
                        await call.claim.take(context)
                    await call.claim.keep_refusal(context, error)
        raise
