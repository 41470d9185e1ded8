"""Delivering: one lane an endpoint, so that each has its own pace and none waits for another."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

import structlog
from prometheus_client import Counter

from bivelio_server.durable import Lane, LaneRun
from bivelio_server.kit import tracing
from bivelio_server.webhooks.connections import Connections
from bivelio_server.webhooks.ledger import Attempt, Ended, Endpoint, Ledger
from bivelio_server.webhooks.queueing import TOPIC
from bivelio_server.webhooks.schemas import DisabledReason
from bivelio_server.webhooks.sending import send

#: How many messages are under way to one endpoint at once: one that answers well and soon, and any other.
TRUSTED_WINDOW: Final = 16
DOUBTED_WINDOW: Final = 2
_PROMPT_MS: Final = 2000
#: What falls due while others are under way is noticed after this.
_LOOK_SECONDS: Final = 1.0
#: Writing down several outcomes at once costs hardly more than one.
_GATHERING_SECONDS: Final = 0.003
_log = structlog.get_logger()

DISABLED: Final = Counter("bivelio_webhook_endpoints_disabled_total", "Endpoints given up, by reason.", ["reason"])


async def deliver(run: LaneRun) -> None:
    """Send what is due to the endpoint `run.key`, until nothing is."""
    courier = _Courier(run)
    try:
        await courier.work()
    finally:
        await courier.break_off()


_connections: Final = Connections()
LANE: Final = Lane(
    kind=TOPIC,
    topic=TOPIC,
    due="select org_id, environment, webhook_id from webhooks_due(%s)",
    drain=deliver,
    at_once=1000,
)


class _Courier:
    """The messages under way to one endpoint. An attempt is written down before it is made: a crash leaves a trace,
    and the message is sent again."""

    def __init__(self, run: LaneRun) -> None:
        self._run = run
        self._under_way: dict[asyncio.Task[Ended], str] = {}
        self._window = DOUBTED_WINDOW
        self._trusted = False
        self._failing = False

    async def work(self) -> None:
        ended: list[Ended] = []
        while True:
            starved = await self._round(ended)
            if self._under_way:
                ended = await self._some_ended()
            elif starved:
                ended = []
                await _connections.some_free(trusted=self._trusted)
            else:
                return

    async def break_off(self) -> None:
        for task in self._under_way:
            task.cancel()
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _round(self, ended: Sequence[Ended]) -> bool:
        """Keep what came of attempts and begin others; whether there was no connection for any."""
        with ExitStack() as reserved:
            async with self._run.transaction() as session:
                ledger = Ledger(self._run, session)
                disabled = await ledger.settle(ended, failing=self._failing) if ended else None
                endpoint = await ledger.endpoint(prompt_ms=_PROMPT_MS)
                attempts, starved = [], False
                if endpoint is not None and (wanted := self._free_places(endpoint)):
                    places = _connections.take(wanted, trusted=endpoint.trusted)
                    reserved.callback(_connections.give_back, places, trusted=endpoint.trusted)
                    attempts = await ledger.begin(places, self._under_way.values()) if places else []
                    starved = places == 0
            if endpoint is not None:
                for attempt in attempts:
                    self._start(endpoint, attempt)
        self._report(disabled)
        return starved

    def _free_places(self, endpoint: Endpoint) -> int:
        self._trusted, self._failing = endpoint.trusted, endpoint.failing
        self._window = TRUSTED_WINDOW if endpoint.trusted else DOUBTED_WINDOW
        return max(0, self._window - len(self._under_way))

    def _start(self, endpoint: Endpoint, attempt: Attempt) -> None:
        _connections.hold(1, trusted=endpoint.trusted)
        task = asyncio.create_task(self._send(endpoint, attempt), name=f"webhook {attempt.message.delivery_id}")
        task.add_done_callback(lambda _: _connections.give_back(1, trusted=endpoint.trusted))
        self._under_way[task] = attempt.message.delivery_id

    async def _send(self, endpoint: Endpoint, attempt: Attempt) -> Ended:
        services = self._run.services
        with tracing.span("webhook", "client", parent=attempt.traceparent, attributes=_ids(attempt)) as span:
            outcome = await send(services.http, services.clock, endpoint.url, attempt.message, endpoint.signers)
            if outcome.error is not None:
                span.fail(outcome.error)
        return Ended(attempt, endpoint.url, outcome)

    async def _some_ended(self) -> list[Ended]:
        """At least one, unless there is a place for what fell due meanwhile."""
        timeout = _LOOK_SECONDS if len(self._under_way) < self._window else None
        done, rest = await asyncio.wait(self._under_way, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if done and rest:
            done, _ = await asyncio.wait(self._under_way, timeout=_GATHERING_SECONDS)
        for task in done:
            del self._under_way[task]
        return [task.result() for task in done]

    def _report(self, disabled: DisabledReason | None) -> None:
        if disabled is not None:
            DISABLED.labels(disabled).inc()
            _log.warning(
                "webhook_disabled", organization_id=str(self._run.org_id), webhook_id=self._run.key, reason=disabled
            )


def _ids(attempt: Attempt) -> dict[str, tracing.Value]:
    message = attempt.message
    return {
        "bivelio.event": message.event,
        "bivelio.delivery_id": message.delivery_id,
        "bivelio.attempt": attempt.number,
    }
