"""Branches of one run: asyncio tasks that take turns, so that there is one transaction at a time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from bivelio_server.workflows.running.failures import Asleep, StepFailed

Job: TypeAlias = Callable[[], Awaitable[Any]]


class Turn:
    """Whose turn it is among the branches of a run. All of a branch's code has the turn, but for its calls to the
    outside."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def is_wanted(self) -> bool:
        """Whether another branch waits for it."""
        return self._waiting > 0

    async def take(self) -> None:
        self._waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self._waiting -= 1

    def pass_on(self) -> None:
        self._lock.release()

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Without the turn. A branch that is cancelled meanwhile does not take it back: whoever cancels it has it."""
        self.pass_on()
        try:
            yield
        except asyncio.CancelledError:
            raise
        except BaseException:
            await self.take()
            raise
        await self.take()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a branch ended, or that it is asleep."""

    output: Any = None
    failure: StepFailed | None = None
    asleep: Asleep | None = None


async def side_by_side(
    turn: Turn, jobs: Sequence[Job], *, places: int, is_enough: Callable[[Outcome], bool]
) -> list[Outcome | None]:
    """Do the jobs in their order, `places` at once, those asleep included; None for those not begun or broken off.

    After an outcome that `is_enough` the others are broken off. Called with the turn and returns with it. Whatever else
    a job raises breaks all of them off, and is raised.
    """
    crew = _Crew(turn, jobs, is_enough)
    async with turn.away():
        await crew.work(places)
    return crew.outcomes


class _Crew:
    def __init__(self, turn: Turn, jobs: Sequence[Job], is_enough: Callable[[Outcome], bool]) -> None:
        self.outcomes: list[Outcome | None] = [None] * len(jobs)
        self._turn = turn
        self._jobs = jobs
        self._is_enough = is_enough
        self._at_work: set[asyncio.Task[None]] = set()
        self._asleep = 0
        self._is_over = False

    async def work(self, places: int) -> None:
        waiting = iter(range(len(self._jobs)))
        try:
            while True:
                for position in self._next(waiting, places):
                    self._at_work.add(asyncio.create_task(self._do(position)))
                if not self._at_work:
                    return
                done, self._at_work = await asyncio.wait(self._at_work, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if not task.cancelled():
                        task.result()
        finally:
            self._break_off()
            if self._at_work:
                await asyncio.wait(self._at_work)

    def _next(self, waiting: Iterator[int], places: int) -> Iterator[int]:
        free = places - len(self._at_work) - self._asleep
        return islice(waiting, 0 if self._is_over else max(0, free))

    async def _do(self, position: int) -> None:
        """One job, in its turns. A cancelled one has no turn to pass on, unless the whole run breaks off."""
        await self._turn.take()
        try:
            outcome = await _outcome(self._jobs[position])
        except asyncio.CancelledError:
            raise
        except BaseException:
            self._break_off()
            self._turn.pass_on()
            raise
        self.outcomes[position] = outcome
        self._asleep += outcome.asleep is not None
        if self._is_enough(outcome):
            self._break_off()
        self._turn.pass_on()

    def _break_off(self) -> None:
        """Called with the turn, so that no other branch is inside a transaction that would be torn."""
        self._is_over = True
        for task in self._at_work:
            if task is not asyncio.current_task():
                task.cancel()


async def _outcome(job: Job) -> Outcome:
    try:
        return Outcome(output=await job())
    except StepFailed as failure:
        return Outcome(failure=failure)
    except Asleep as asleep:
        return Outcome(asleep=asleep)
