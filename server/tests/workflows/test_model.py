"""Random workflows, killed at random moments: they end as a simple interpreter says they do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bivelio_server.app import HANDLERS
from bivelio_server.durable import Run
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.instances import TASK
from bivelio_server.workflows.running.execution import run_instance
from bivelio_server.workflows.running.recording import Recording
from tests.workflows.arranging import Json, contact_names, instance, later, started, workflow
from tests.workflows.definitions import definitions
from tests.workflows.interpreter import Outcome, interpret
from tests.working import working
from tests.world import Client, World

pytestmark = pytest.mark.anyio

_HOUR = 3600
_Close = Callable[[Recording, Exception | None], Awaitable[None]]


class Killed(BaseException):
    """The process is gone."""


class Death:
    """Strikes at the ends of transactions, before or after they commit, as told: 0 not at all."""

    def __init__(self) -> None:
        self._told: Iterator[int] = iter(())

    def plan(self, told: list[int]) -> None:
        self._told = iter(told)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Recording, "close_transaction", self._closing(Recording.close_transaction))
            yield

    def _closing(self, close: _Close) -> _Close:
        async def closing(recording: Recording, error: Exception | None) -> None:
            strike = next(self._told, 0) if error is None else 0
            if strike == 1:
                raise Killed
            await close(recording, error)
            if strike == 2:
                raise Killed

        return closing


async def run_and_die(run: Run) -> None:
    """A killed run goes on elsewhere at once, as if its lease had ended."""
    try:
        await run_instance(run)
    except Killed:
        raise asyncio.CancelledError from None


@pytest.fixture
async def death(services: Services, alone: None) -> AsyncIterator[Death]:
    death = Death()
    with death.at_work():
        async with working(services, {**HANDLERS, TASK: run_and_die}):
            yield death


@given(
    definition=definitions(),
    n=st.integers(0, 3),
    strikes=st.lists(st.sampled_from([0, 0, 1, 2]), max_size=12),
)
@settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
async def test_the_engine_agrees_with_the_interpreter(
    world: World, services: Services, clock: MovableClock, death: Death, definition: Json, n: int, strikes: list[int]
) -> None:
    acme = world.organization("Modelo")
    input_ = {"n": n, "items": [n, 0]}
    made = await workflow(acme.live, *definition["steps"], on_error=definition.get("on_error", []))
    death.plan(strikes)

    found = await _finished(acme.live, await started(acme.live, made, **input_), services, clock)

    assert await _outcome(acme.live, found) == _comparable(interpret(definition, input_))


async def _finished(client: Client, run_: Json, services: Services, clock: MovableClock) -> Json:
    for _ in range(2000):
        found = await instance(client, run_)
        if found["finished_at"] is not None:
            return found
        if found["status"] == "waiting":
            later(services, clock, seconds=_HOUR)
        await asyncio.sleep(0.01)
    raise AssertionError(found)


async def _outcome(client: Client, found: Json) -> Json:
    return {
        "status": found["status"],
        "failed_at": found["error"]["path"] if found["status"] == "failed" else None,
        "steps": {
            step["path"]: (step["status"], step["output"] if step["uses"] == "set" else None) for step in found["steps"]
        },
        "effects": sorted(await contact_names(client)),
    }


def _comparable(outcome: Outcome) -> Json:
    return {
        "status": outcome.status, "failed_at": outcome.failed_at, "steps": outcome.steps,
        "effects": sorted(outcome.effects),
    }  # fmt: skip
