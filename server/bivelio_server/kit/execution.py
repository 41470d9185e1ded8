"""Running an operation for a door that has no transaction of its own (HTTP; later MCP and agents)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Cause, Context, OutgoingCall, Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import InOneTransaction, Operation, ThroughOutside


async def execute(
    operation: Operation,
    caller: Caller,
    data: Input,
    services: Services,
    *,
    cause: Cause = Cause(),  # noqa: B008 - frozen
) -> Output:
    """The operation's output, after its effects are committed. Raises APIError."""
    body = operation.body
    if isinstance(body, InOneTransaction):
        async with transaction(caller, services, cause) as context:
            result: Output = await body.handle(context, data)
        return result if context.later is None else await context.later()
    return await _execute_outside(body, caller, data, services, cause)


@asynccontextmanager
async def transaction(caller: Caller, services: Services, cause: Cause = Cause()) -> AsyncIterator[Context]:  # noqa: B008 - frozen
    """A context whose changes are committed together at the end; then the waiting workers are woken."""
    async with services.database.transaction(caller) as session:
        context = Context(caller, session, services, cause)
        yield context
    for topic in context.topics:
        services.wakeups.wake(topic)


async def _execute_outside(
    body: ThroughOutside[Any, Any, Any, Any], caller: Caller, data: Input, services: Services, cause: Cause
) -> Output:
    async with transaction(caller, services, cause) as context:
        prepared = await body.prepare(context, data)
    try:
        outcome = await body.perform(outgoing_call(services, new_id("call")), prepared)
    except IntegrationFailed as error:
        async with transaction(caller, services, cause) as context:
            await body.record_failure(context, prepared, error)
        raise
    async with transaction(caller, services, cause) as context:
        result: Output = await body.record(context, prepared, outcome)
    return result


def outgoing_call(services: Services, idempotency_key: str) -> OutgoingCall:
    return OutgoingCall(services.http, services.cipher, services.clock, idempotency_key)
