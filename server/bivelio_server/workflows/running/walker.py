"""Walking the tree: each step in its turn, once; what its failure means for those around it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog

from bivelio_server.durable import Superseded, TooNew
from bivelio_server.kit import tracing
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import APIError, Impossible, IntegrationFailed, InternalError, Problem
from bivelio_server.kit.storage import StorageFailed
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import (
    HttpRequestStep,
    OperationStep,
    Retry,
    Step,
    StopStep,
    branches,
    kind_of,
    walk_steps,
)
from bivelio_server.workflows.expressions import ExpressionError, render_value
from bivelio_server.workflows.running import abandoned
from bivelio_server.workflows.running.failures import (
    Asleep,
    Held,
    OutOfTime,
    StepFailed,
    Stopped,
    TimedOut,
    WorkerLost,
    expression_failed,
    kept,
)
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.recording import Recording
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.side_by_side import Job, Outcome, Turn, side_by_side
from bivelio_server.workflows.running.state import RunState, StepState
from bivelio_server.workflows.steps import give_up, perform

MAX_STEPS_TAKEN: Final = 10_000
DEFAULT_RETRY: Final = Retry(attempts=5, delay_seconds=2, factor=2, max_delay_seconds=300)
#: A long stretch of pure steps lets others have the processor this often.
_BREATH_SECONDS: Final = 0.02
#: These have their time for each attempt.
_REPEATABLE: Final = OperationStep | HttpRequestStep
_log = structlog.get_logger()


class Walker(Progress):
    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._turn = Turn()
        self._calls = 0
        self._breathed_at = time.monotonic()

    @property
    def state(self) -> RunState:  # type: ignore[override] # read only here
        return self._recording.state

    @property
    def effect_of(self) -> str | None:
        return self._recording.effect_of

    @effect_of.setter
    def effect_of(self, path: str | None) -> None:
        self._recording.effect_of = path

    @property
    def services(self) -> Services:
        return self._recording.run.services

    def now(self) -> datetime:
        return self._recording.now()

    async def start(self) -> None:
        """The walk has the turn from now on."""
        await self._turn.take()

    async def variables(self, template: Any, path: str, scope: Scope) -> dict[str, Any]:
        state = self.state
        variables = {
            "input": state.input,
            "steps": state.seen_from(scope.levels),
            "run": {"id": state.id, "workflow_id": state.workflow_id},
            "now": self.now().replace(microsecond=0),
            **scope.names,
        }
        return await state.large.loaded(template, variables, path) if state.large.any else variables

    async def render(self, value: Any, path: str, scope: Scope) -> Any:
        return render_value(value, await self.variables(value, path, scope), path, self.state.conventions)

    async def is_true(self, condition: str, path: str, scope: Scope) -> bool:
        answer = await self.render(condition, path, scope)
        if not isinstance(answer, bool):
            raise Impossible(Problem(path, "boolean", _NOT_A_CONDITION))
        return answer

    async def context(self) -> Context:
        return await self._recording.context()

    async def acting_context(self, *, begins: bool = False) -> Context:
        context = await self._recording.acting_context()
        if begins and self._recording.paused:
            raise Held
        return context

    def complete(self, state: StepState, output: Any) -> None:
        self._recording.complete(state, output)

    def save(self, state: StepState) -> None:
        self._recording.save(state)

    async def commit(self) -> None:
        await self._recording.commit()

    async def undo(self, state: StepState, error: Exception) -> None:
        await self._recording.settle(state, error)

    @asynccontextmanager
    async def away(self, scope: Scope) -> AsyncIterator[None]:
        await self.commit()
        left = None
        if scope.deadline is not None:
            left = max(0.0, (scope.deadline.at - self.now()).total_seconds())
        self._calls += 1
        try:
            async with self._turn.away(), self._recording.run.outside(), asyncio.timeout(left) as limit:
                yield
        except TimeoutError:
            if limit.expired() and scope.deadline is not None:
                raise TimedOut(scope.deadline.path) from None
            raise
        finally:
            self._calls -= 1

    async def sleep(self, state: StepState, until: datetime | None, scope: Scope, status: str = "waiting") -> None:
        deadline = scope.deadline
        if deadline is not None:
            if deadline.at <= self.now():
                raise TimedOut(deadline.path)
            until = deadline.at if until is None else min(until, deadline.at)
        if status == "waiting" and state.status != "waiting":
            state.status = "waiting"
            self.save(state)
        await self.context()
        self._recording.note_asleep()
        raise Asleep(until, status)

    async def walk(self, steps: Sequence[Step], scope: Scope) -> Any:
        output = None
        is_top = steps is self.state.definition.steps
        for position, step in enumerate(steps, 1):
            if is_top:
                self.state.current_step = position
            output = await self._take(step, scope)
        return output

    async def side_by_side(
        self, jobs: Sequence[Job], *, places: int, is_enough: Callable[[Outcome], bool]
    ) -> list[Outcome | None]:
        resting = [partial(self._leaving_nothing_open, job) for job in jobs]
        return await side_by_side(self._turn, resting, places=places, is_enough=is_enough)

    async def _leaving_nothing_open(self, job: Job) -> Any:
        """A transaction must not stay open while all that goes on in the run is calls to the outside."""
        try:
            output = await job()
        except (StepFailed, Asleep):
            await self._rest()
            raise
        await self._rest()
        return output

    async def _rest(self) -> None:
        if self._calls and not self._turn.is_wanted:
            await self.commit()

    async def abandon(self, steps: Sequence[Step], scope: Scope) -> None:
        ids = {step.id for _, step in walk_steps(steps)}
        within = scope.prefix
        found = [
            state
            for state in self.state.steps.values()
            if state.is_open and state.path.startswith(within) and _first_id(state.path[len(within) :]) in ids
        ]
        await self._cancel(found)

    async def abandon_all(self) -> None:
        await self._cancel([state for state in self.state.steps.values() if state.is_open])

    async def _cancel(self, states: Iterable[StepState]) -> None:
        states = list(states)
        for state in states:
            state.status, state.finished_at = "cancelled", self.now()
            self.save(state)
        await self._let_go(states)

    async def _let_go(self, states: Iterable[StepState]) -> None:
        holding = [(state.path, state.uses) for state in states if abandoned.holds_something(state.uses)]
        if holding:
            await abandoned.let_go(await self.context(), self.state.id, holding)
            self.effect_of = holding[0][0]  # a step that fails after this must not undo it

    async def _take(self, step: Step, scope: Scope) -> Any:
        """The step's output, after it is done now or was done before. Raises StepFailed, Asleep, Stopped, TimedOut."""
        path = scope.path(step.id)
        known = self.state.steps.get(path)
        if known is None or not known.is_over:
            await self._between_steps(scope, is_new=known is None)
            known = self.state.begin(path, step.id, kind_of(step), self.now())
            await self._do(step, known, scope)
            assert known.is_over, "a step is over when it is performed"
        return await self._passed(step, known, scope)

    async def _passed(self, step: Step, state: StepState, scope: Scope) -> Any:
        """What a step that is over means for the walk."""
        if state.status == "failed":
            return await self._after_failure(step, state, scope)
        if isinstance(step, StopStep):
            end = await self.state.large.whole(state.output)
            raise Stopped(state.path, end["status"], end["output"], end["message"])
        return state.output

    async def _after_failure(self, step: Step, state: StepState, scope: Scope) -> Any:
        assert state.error is not None
        if step.on_error == "fail":
            raise StepFailed(state.path, state.error)
        if isinstance(step.on_error, list):
            return await self.walk(step.on_error, scope.knowing(error=state.error))
        return None

    async def _between_steps(self, scope: Scope, *, is_new: bool) -> None:
        if self._recording.paused:
            raise Held
        if scope.deadline is not None and scope.deadline.at <= self.now():
            raise TimedOut(scope.deadline.path)
        if is_new and len(self.state.steps) >= MAX_STEPS_TAKEN:
            raise StepFailed(None, kept(Impossible(Problem("steps", "max_items", _TOO_MANY)), None, None))
        await self._recording.commit_when_much()
        if time.monotonic() - self._breathed_at > _BREATH_SECONDS:
            await asyncio.sleep(0)
            self._breathed_at = time.monotonic()

    async def _do(self, step: Step, state: StepState, scope: Scope) -> None:
        """Until the step is over: completed, or failed for good."""
        ids = {"bivelio.instance_id": self.state.id, "bivelio.step_id": state.step_id}
        with tracing.span(f"step {state.uses}", attributes=ids):
            try:
                await self._attempt(step, state, scope)
            except StepFailed as failure:
                await self._keep_failure(step, state, scope, failure.error)

    def _limited(self, step: Step, state: StepState, scope: Scope) -> Scope:
        """A step that may be tried again has its time for each attempt, any other for all that it does."""
        if step.timeout_seconds is None:
            return scope
        began = self.now() if isinstance(step, _REPEATABLE) else self.state.since(state.started_at)
        return scope.until(began + timedelta(seconds=step.timeout_seconds), state.path)

    async def _attempt(self, step: Step, state: StepState, scope: Scope) -> None:
        """Raises StepFailed when it fails for good, Asleep when it is to be tried again."""
        if state.retry_at is not None and state.retry_at > self.now():
            await self.sleep(state, state.retry_at, scope, status="running")
        if self._recording.run.lost and state.status != "waiting" and not _inner(step):
            await self._mind_losses(step, state)
        try:
            await perform(self, step, state, self._limited(step, state, scope))
        except (Superseded, TooNew, Asleep, StepFailed, Stopped):
            raise
        except TimedOut as late:
            if late.path != state.path:
                raise
            await self._try_again(step, state, scope, OutOfTime(), retryable=isinstance(step, _REPEATABLE))
        except Exception as error:  # noqa: BLE001 - whatever a step raises is what its run keeps
            await self._heed(step, state, scope, error)

    async def _mind_losses(self, step: Step, state: StepState) -> None:
        """A worker has died with this run: let it be known that the step was begun, to know which one it is."""
        await self.context()
        self.save(state)
        await self.commit()
        if self._recording.run.kills_workers:
            raise await self._give_up(step, state, WorkerLost())

    async def _heed(self, step: Step, state: StepState, scope: Scope, error: Exception) -> None:
        """Try again, or fail for good."""
        match error:
            case ExpressionError():
                raise await self._failed(state, expression_failed(error)) from None
            case IntegrationFailed():
                await self._try_again(step, state, scope, error, retryable=error.retryable)
            case APIError():
                raise await self._failed(state, error) from None
        if passes_by_itself(error) or isinstance(error, StorageFailed):
            raise error  # the worker tries such a run again, without limit
        _log.error("step_crashed", instance=self.state.id, step=state.path, exc_info=error)
        await self._try_again(step, state, scope, InternalError(), retryable=True)

    async def _try_again(self, step: Step, state: StepState, scope: Scope, error: APIError, *, retryable: bool) -> None:
        retry = getattr(step, "retry", None) or DEFAULT_RETRY
        if not retryable or state.attempts + 1 >= retry.attempts:
            is_known = not isinstance(error, InternalError)
            raise await (self._failed(state, error) if is_known else self._give_up(step, state, error))
        await self._recording.settle(state, error)
        state.attempts += 1
        state.error = kept(error, state.step_id, state.path)
        pause = max(retry.delay_seconds * retry.factor ** (state.attempts - 1), error.retry_after or 0)
        state.retry_at = self.now() + timedelta(seconds=min(pause, retry.max_delay_seconds))
        self.save(state)
        await self.sleep(state, state.retry_at, scope, status="running")

    async def _give_up(self, step: Step, state: StepState, error: APIError) -> StepFailed:
        """It is not tried again, though nobody knows how far it came."""
        await self.undo(state, error)
        await give_up(self, step, state, error)
        return await self._failed(state, error)

    async def _failed(self, state: StepState, error: APIError) -> StepFailed:
        await self._recording.settle(state, error)
        state.attempts += 1
        return StepFailed(state.path, kept(error, state.step_id, state.path))

    async def _keep_failure(self, step: Step, state: StepState, scope: Scope, error: dict[str, Any]) -> None:
        state.status, state.error, state.finished_at = "failed", error, self.now()
        if not state.holds_steps:
            state.prepared = None
        self.save(state)
        await self._let_go([state])
        if inner := _inner(step):
            await self.abandon(inner, scope)
            passes = f"{state.path}["
            await self._cancel(
                [each for each in self.state.steps.values() if each.is_open and each.path.startswith(passes)]
            )


def _inner(step: Step) -> list[Step]:
    """The steps within it, but for its error handler."""
    return [each for branch in branches(step) if branch.place != "on_error" for each in branch.steps]


def _first_id(path: str) -> str:
    return path.partition(".")[0].partition("[")[0]


_NOT_A_CONDITION: Final = Text("La condición debe dar true o false.", "The condition must give true or false.")
_TOO_MANY: Final = Text(
    f"La ejecución ha dado más de {MAX_STEPS_TAKEN} pasos.", f"The run has taken more than {MAX_STEPS_TAKEN} steps."
)
