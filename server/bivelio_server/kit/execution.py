"""Running an operation: its transactions, and what surrounds each of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import psycopg
from prometheus_client import Counter
from sqlalchemy.exc import DBAPIError

from bivelio_server.kit import audit, tracing
from bivelio_server.kit.caller import Caller, Scope
from bivelio_server.kit.context import Cause, Context, OutgoingCall, Services, to_nobody
from bivelio_server.kit.db import is_undone
from bivelio_server.kit.errors import APIError, IntegrationFailed, Interrupted
from bivelio_server.kit.idempotency import Claim, KeyInFlight, KeyOfAnotherRequest, Replayed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import InOneTransaction, Operation, ThroughOutside, Who
from bivelio_server.kit.origin import Origin
from bivelio_server.kit.sandbox_time import in_time_of
from bivelio_server.kit.streaming import Place, Stream, Tell

_TRIES: Final = 4
UNDONE: Final = Counter(
    "bivelio_undone_transactions_total",
    "Transactions that the database has undone for others to go on, and that were done again, by operation.",
    ["operation"],
)


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
    #: Whether whoever asked can follow a reply that goes on.
    follows: bool = False

    def transaction(self) -> AbstractAsyncContextManager[Context]:
        return transaction(self.caller, self.services, self.origin, self.cause, moved=self.operation.who is Who.anyone)


@asynccontextmanager
async def transaction(
    caller: Caller,
    services: Services,
    origin: Origin,
    cause: Cause = Cause(),  # noqa: B008 - frozen
    *,
    moved: bool = True,
) -> AsyncIterator[Context]:
    """A context whose changes are committed together at the end; then the waiting workers are woken.

    In a sandbox it goes by the time of that sandbox, unless not to be `moved`: people and their sign-ins have no other
    time than the true one.
    """
    if moved:
        services = await in_time_of(services, caller.org_id, caller.environment)
    async with services.database.transaction(caller) as session:
        context = Context(caller, session, services, origin, cause)
        yield context
    for topic in context.topics:
        services.wakeups.wake(topic)


async def execute(call: Call) -> Output | Stream:
    """The operation's output, or what begins with it, after its effects are committed. Raises APIError, Replayed."""
    body = call.operation.body
    with tracing.span(call.operation.name):
        if isinstance(body, InOneTransaction):
            return await _execute_in_one(call, body)
        return await _execute_outside(call, body)


async def handle(context: Context, operation: Operation, body: InOneTransaction[Any, Any], data: Input) -> Output:
    """The handler, its entry in the audit log and its credits, in the transaction of `context`; any door's.

    Credits come last, here and below: whoever else of the organisation spends some waits from then on.
    """
    context.credits = operation.credits
    output: Output = await body.handle(context, data)
    if operation.writes:
        await audit.write(context, operation.name)
    if context.credits:
        await context.services.credits.spend(context, operation.name, context.credits)
    return output


@dataclass(frozen=True, slots=True)
class Outside:
    """One call of an external operation, in the parts that every door composes alike.

    `key` is its idempotency key with the provider. What it may cost is reserved under `reservation_id` before the call,
    and taken or refunded after it; what a crash leaves behind is refunded when the reservation's lease has ended.
    """

    operation: Operation
    body: ThroughOutside[Any, Any, Any, Any]
    key: str
    reservation_id: str

    async def prepare(self, context: Context, data: Input) -> Output:
        context.credits = self.operation.credits
        prepared: Output = await self.body.prepare(context, data)
        await audit.write(context, self.operation.name, complete=False)
        await self._reserve(context, context.credits)
        return prepared

    async def prepare_again(self, context: Context) -> None:
        """Before the same call is repeated: what a failure or a crash refunded is reserved again."""
        await self._reserve(context, self.operation.credits)

    async def perform(self, services: Services, caller: Caller, prepared: Output, tell: Tell = to_nobody) -> Any:
        return await self.body.perform(OutgoingCall(services, caller, self.key, tell), prepared)

    async def record(self, context: Context, prepared: Output, outcome: Any) -> Output:
        context.credits = self.operation.credits
        output: Output = await self.body.record(context, prepared, outcome)
        # What only reads, though it asks the outside for it, is no entry.
        await audit.write(context, self.operation.name, complete=self.operation.scope is not Scope.read)
        await self.settle(context, context.credits)
        return output

    async def settle(self, context: Context, amount: int) -> None:
        """Take what the call cost: it was made, whatever became of its record."""
        if self.operation.credits:
            await context.services.credits.settle(context, self.reservation_id, amount)

    async def record_failure(self, context: Context, prepared: Output, error: IntegrationFailed) -> None:
        await self.body.record_failure(context, prepared, error)
        await audit.write(context, self.operation.name, complete=self.operation.scope is not Scope.read)
        await self.refund(context)

    async def refund(self, context: Context) -> None:
        if self.operation.credits:
            await context.services.credits.refund(context, self.reservation_id)

    async def _reserve(self, context: Context, amount: int) -> None:
        if self.operation.credits:
            name, ledger = self.operation.name, context.services.credits
            await ledger.reserve(context, name, amount, reservation_id=self.reservation_id)


async def _execute_in_one(call: Call, body: InOneTransaction[Any, Any]) -> Output | Stream:
    output, context, place = await _commit_in_one(call, body)
    if context.stream is not None and place is not None:
        return Stream(output, context.stream, place)
    if context.later is None:
        return output
    final: Output = await context.later()
    if call.claim is not None:
        async with call.transaction() as context:
            await call.claim.keep(context, final)
    return final


async def _commit_in_one(call: Call, body: InOneTransaction[Any, Any]) -> tuple[Output, Context, Place | None]:
    """Two transactions that wait for each other are no fault of the caller's: the one that the database has undone, of
    which nothing stayed, is done again."""
    for tries_left in reversed(range(_TRIES)):
        try:
            return await _try_in_one(call, body)
        except (psycopg.Error, DBAPIError) as error:
            if not tries_left or not is_undone(error):
                raise
            UNDONE.labels(call.operation.name).inc()
    raise AssertionError


async def _try_in_one(call: Call, body: InOneTransaction[Any, Any]) -> tuple[Output, Context, Place | None]:
    claim, place = call.claim, None
    with ExitStack() as on_failure:
        async with _refusals_kept(call), call.transaction() as context:
            if claim is not None:
                await claim.take(context)
            output = await handle(context, call.operation, body, call.data)
            if context.stream is not None:
                place = call.services.streams.take(call.caller)
                on_failure.callback(place.leave)
            if claim is not None:
                await claim.keep(context, output, provisional=context.later is not None)
        on_failure.pop_all()
    return output, context, place


async def _execute_outside(call: Call, body: ThroughOutside[Any, Any, Any, Any]) -> Output | Stream:
    claim, place = call.claim, None
    key = claim.outgoing_key(call.caller) if claim is not None else new_id("call")
    outside = Outside(call.operation, body, key, new_id("cr"))
    with ExitStack() as on_failure:
        async with _refusals_kept(call), call.transaction() as context:
            if claim is not None:
                await claim.take(context)
                await claim.hold(context)
            prepared = await outside.prepare(context, call.data)
            if context.streams and call.follows:
                place = call.services.streams.take(call.caller)
                on_failure.callback(place.leave)
        on_failure.pop_all()
    if place is None:
        return await _through_outside(call, outside, prepared, to_nobody)
    return call.services.streams.follow(partial(_followed, call, outside, prepared), prepared, place)


async def _followed(call: Call, outside: Outside, prepared: Output, tell: Tell) -> Output:
    """The reply has begun: its own span ends before what it tells of does."""
    with tracing.span(f"{call.operation.name} stream"):
        return await _through_outside(call, outside, prepared, tell)


async def _through_outside(call: Call, outside: Outside, prepared: Output, tell: Tell) -> Output:
    """The call and its record: what is left of an external operation once it is prepared."""
    claim = call.claim
    async with _refusals_kept(call, held=True):
        outcome = await _perform(call, outside, prepared, tell)
        try:
            async with call.transaction() as context:
                output = await outside.record(context, prepared, outcome)
                if claim is not None:
                    await claim.keep(context, output)
        except APIError:
            async with call.transaction() as context:
                await outside.settle(context, call.operation.credits)
            raise
    return output


async def _perform(call: Call, outside: Outside, prepared: Output, tell: Tell) -> Any:
    services = await in_time_of(call.services, call.caller.org_id, call.caller.environment)
    try:
        return await outside.perform(services, call.caller, prepared, tell)
    except APIError as error:
        failure = error if isinstance(error, IntegrationFailed) else IntegrationFailed(error.text)
        async with call.transaction() as context:
            await outside.record_failure(context, prepared, failure)
        raise
    except (Exception, asyncio.CancelledError) as error:
        await _record_interruption(call, outside, prepared, error)
        raise


async def _record_interruption(call: Call, outside: Outside, prepared: Output, cause: BaseException) -> None:
    """Nothing stays under way that nobody is at any more; where not even that can be recorded, nothing is charged."""
    interrupted = Interrupted()
    interrupted.__cause__ = cause
    try:
        async with call.transaction() as context:
            await outside.record_failure(context, prepared, interrupted)
    except Exception:
        async with call.transaction() as context:
            await outside.refund(context)
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
