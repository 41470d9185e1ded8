"""Running an instance: walk the tree, do what is not done yet, record each effect with its step.

A step that is an operation commits its effect and its record together, in a transaction that only a worker which still
owns the run can commit: so it happens once. Pure steps (`set`, `if`) cost no commit: they are recorded with the next
one, and computed again if a crash comes first.
"""

from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from prometheus_client import Counter

from bivelio_server.durable import Run, Superseded
from bivelio_server.events.recording import record
from bivelio_server.kit import json, tracing
from bivelio_server.kit.context import Cause, Context, Services
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.errors import APIError, Impossible, IntegrationFailed, InternalError, Problem
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.workflows.definition import IfStep, OperationStep, SetStep, Step, WaitStep, kind_of
from bivelio_server.workflows.events import COMPLETED, FAILED
from bivelio_server.workflows.expressions import ExpressionError
from bivelio_server.workflows.instances import finished_topic
from bivelio_server.workflows.schemas import FinishedInstance
from bivelio_server.workflows.state import RunState, StepState, load, present_caller
from bivelio_server.workflows.steps import condition, operation, pure, wait
from bivelio_server.workflows.steps.progress import Asleep, Progress, StepFailed, expression_failed

MAX_ATTEMPTS: Final = 5
_LONGEST_PAUSE: Final = 300
_ORIGIN: Final = Origin(Door.workflow)
#: What the outputs of one run may take in all, and what may wait for the next commit.
_MAX_RUN_BYTES: Final = 8 * 1024 * 1024
_MAX_UNSAVED_BYTES: Final = 512 * 1024
_log = structlog.get_logger()

ENDED: Final = Counter("bivelio_workflow_instances_ended_total", "Workflow runs that ended, by status.", ["status"])

_RECORD: Final = """
    with given as (
        select * from jsonb_to_recordset(cast(%(steps)s as jsonb)) as r(
            step_id text, position int, uses text, status text, attempts int, input jsonb, output jsonb, error jsonb,
            prepared jsonb, started_at timestamptz, finished_at timestamptz)
    ), recorded as (
        insert into workflow_steps (org_id, environment, instance_id, step_id, position, uses, status, attempts, input,
                                    output, error, prepared, started_at, finished_at)
        select %(org_id)s, %(environment)s, %(id)s, step_id, position, uses, status, attempts, input, output, error,
               prepared, started_at, finished_at
          from given
        on conflict (org_id, environment, instance_id, step_id) do update
            set status = excluded.status, attempts = excluded.attempts, input = excluded.input,
                output = excluded.output, error = excluded.error, prepared = excluded.prepared,
                finished_at = excluded.finished_at
    )
    update workflow_instances
       set status = %(status)s, current_step = %(current_step)s, updated_at = %(now)s,
           output = cast(%(output)s as jsonb), error = cast(%(error)s as jsonb), finished_at = %(finished_at)s
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""


async def run_instance(run: Run) -> None:
    """The handler of the durable task `workflows.run`."""
    execution = Execution(run)
    try:
        await execution.go()
    finally:
        await execution.close()


class Execution(Progress):
    """One attempt at a run, in as few transactions as its effects need."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stack: AsyncExitStack | None = None
        self._context: Context | None = None
        self._unsaved: dict[str, StepState] = {}
        self._unsaved_bytes = self._run_bytes = 0
        self._rights_are_fresh = False
        self.effect_of = None

    async def go(self) -> None:
        state = await self._open_and_load()
        if state is None:
            return
        self.state = state
        self._run_bytes = sum(len(json.dumps(done)) for done in state.outputs.values())
        try:
            await self._walk(state.definition.steps, top_level=True)
            await self._end("completed", output=self._output())
        except Asleep:
            return
        except StepFailed as failure:
            await self._record_failure(failure)

    @property
    def services(self) -> Services:
        return self._run.services

    def _now(self) -> datetime:
        return self._run.services.clock.now()

    def variables(self) -> dict[str, Any]:
        state = self.state
        return {
            "input": state.input,
            "steps": state.outputs,
            "run": {"id": state.id, "workflow_id": state.workflow_id},
            "now": self._now().replace(microsecond=0),
        }

    async def context(self) -> Context:
        """The open fenced transaction; opened when there is none."""
        if self._context is None:
            self._stack = AsyncExitStack()
            session = await self._stack.enter_async_context(self._run.transaction())
            cause = Cause(f"run:{self.state.id}", self.state.depth + 1)
            self._context = Context(self.state.caller, session, self._run.services, _ORIGIN, cause)
        return self._context

    async def acting_context(self) -> Context:
        """A transaction without an earlier effect in it, with the rights that the workflow has now."""
        if self.effect_of is not None:
            await self.commit()
        context = await self.context()
        if not self._rights_are_fresh:
            self.state.caller = context.caller = await present_caller(context.session, self._run, self.state)
            self._rights_are_fresh = True
        return context

    def complete(self, step: StepState, output: Any) -> None:
        """The step is done; it is recorded with the next commit."""
        step.status, step.finished_at, step.error, step.prepared = "completed", self._now(), None, None
        encoded = json.dumps(output)
        self._unsaved_bytes += len(encoded)
        self._run_bytes += len(encoded)
        if self._run_bytes > _MAX_RUN_BYTES:
            raise Impossible(Problem("output", "max_length", _TOO_MUCH))
        step.output = json.loads_trusted(encoded)
        self.state.outputs[step.step_id] = {"output": step.output}
        self.save(step)

    def save(self, step: StepState) -> None:
        self._unsaved[step.step_id] = step

    async def commit(self, status: str = "running", **ending: Any) -> None:
        """Save what is unsaved and commit."""
        context = self._context
        if context is None:
            return
        if self._unsaved or ending:
            await self._save_progress(context, status, **ending)
        await self._close_transaction(None)
        self._unsaved.clear()
        self._unsaved_bytes = 0

    async def sleep(self, step: StepState, until: Any, status: str = "waiting") -> None:
        """Give the run back until then. Raises Asleep."""
        context = await self.context()
        self.save(step)
        await self._save_progress(context, status)
        await self._run.sleep_until(context.session, until)
        await self._close_transaction(None)
        raise Asleep

    async def walk(self, steps: list[Step]) -> None:
        await self._walk(steps, top_level=False)

    async def _walk(self, steps: list[Step], *, top_level: bool) -> None:
        for position, step in enumerate(steps, 1):
            if top_level:
                self.state.current_step = position
            await self._take(step)

    async def _take(self, step: Step) -> None:
        state = self.state.step(step.id, kind_of(step), self._now())
        if state.status != "completed":
            await self._do(step, state)
            if self._unsaved_bytes > _MAX_UNSAVED_BYTES:
                await self.commit()
        if isinstance(step, IfStep):
            await self.walk(step.then if state.output["branch"] == "then" else step.else_)

    async def _do(self, step: Step, state: StepState) -> None:
        ids = {"bivelio.instance_id": self.state.id, "bivelio.step_id": state.step_id}
        with tracing.span(f"step {state.uses}", attributes=ids):
            await self._attempt(step, state)

    async def _attempt(self, step: Step, state: StepState) -> None:
        try:
            await self._dispatch(step, state)
        except (Superseded, Asleep, StepFailed):
            raise
        except ExpressionError as error:
            raise StepFailed(state, expression_failed(error)) from None
        except IntegrationFailed as error:
            await self._try_again(state, error, retryable=error.retryable)
        except APIError as error:
            raise StepFailed(state, error) from None
        except Exception as error:
            if passes_by_itself(error):
                raise  # the worker tries such a run again, without limit
            _log.error("step_crashed", instance=self.state.id, step=state.step_id, exc_info=error)
            await self._try_again(state, InternalError(), retryable=True)

    async def _dispatch(self, step: Step, state: StepState) -> None:
        match step:
            case OperationStep():
                await operation.perform(self, step, state)
            case IfStep():
                condition.perform(self, step, state)
            case WaitStep():
                await wait.perform(self, step, state)
            case SetStep():
                pure.perform(self, step, state)

    async def _try_again(self, state: StepState, error: APIError, *, retryable: bool) -> None:
        if not retryable or state.attempts + 1 >= MAX_ATTEMPTS:
            raise StepFailed(state, error)
        await self._settle(state, error)
        state.attempts += 1
        state.error = error.render(DEFAULT_LANGUAGE)
        pause = min(2**state.attempts, _LONGEST_PAUSE)
        await self.sleep(state, self._now() + timedelta(seconds=pause), status="running")

    def _output(self) -> Any:
        definition = self.state.definition
        if definition.output is not None:
            try:
                return pure.rendered(self, definition.output, "output")
            except ExpressionError as error:
                raise StepFailed(None, expression_failed(error)) from None
        return self.state.outputs[definition.steps[-1].id]["output"]

    async def _record_failure(self, failure: StepFailed) -> None:
        step = failure.step
        await self._settle(step, failure)
        error = failure.error.render(DEFAULT_LANGUAGE)
        if step is not None:
            step.status, step.error, step.attempts = "failed", error, step.attempts + 1
            step.finished_at = self._now()
            self.save(step)
        await self._end("failed", error={**error, "step_id": step.step_id if step else None})

    async def _end(self, status: str, *, output: Any = None, error: dict[str, Any] | None = None) -> None:
        """Record the outcome, its event and the end of the task in one transaction."""
        context, state, now = await self.context(), self.state, self._now()
        output = json.loads_trusted(json.dumps(output))
        finished = FinishedInstance(
            instance_id=state.id,
            workflow_id=state.workflow_id,
            workflow_name=state.workflow_name,
            status="completed" if status == "completed" else "failed",
            duration_ms=max(0, round((now - state.started_at).total_seconds() * 1000)),
            output=output,
            error=error,
        )
        await record(context, COMPLETED if status == "completed" else FAILED, finished)
        if self._run.params.get("awaited"):
            context.wake(finished_topic(state.id))
        await self._run.finish(context.session)
        await self.commit(status, output=output, error=error, finished_at=now)
        ENDED.labels(status).inc()

    async def _open_and_load(self) -> RunState | None:
        self._stack = AsyncExitStack()
        session = await self._stack.enter_async_context(self._run.transaction())
        state = await load(session, self._run)
        if state is None or state.finished_at is not None:
            await self._close_transaction(None)
            return None
        cause = Cause(f"run:{state.id}", state.depth + 1)
        self._context = Context(state.caller, session, self._run.services, _ORIGIN, cause)
        self._rights_are_fresh = True
        return state

    async def _save_progress(self, context: Context, status: str, **ending: Any) -> None:
        state = self.state
        await context.session.run(
            _RECORD,
            {
                "org_id": state.org_id,
                "environment": state.environment.value,
                "id": state.id,
                "steps": json.dumps([step.as_row() for step in self._unsaved.values()]).decode(),
                "status": status,
                "current_step": state.current_step,
                "now": self._now(),
                "output": _as_json(ending.get("output")),
                "error": _as_json(ending.get("error")),
                "finished_at": ending.get("finished_at"),
            },
        )

    async def _settle(self, failed: StepState | None, error: Exception) -> None:
        """Undo what the failed step has begun; what earlier steps did stays."""
        if failed is not None and self.effect_of == failed.step_id:
            await self._close_transaction(error)
        else:
            await self.commit()

    async def _close_transaction(self, error: Exception | None) -> None:
        """Commit, and wake those whom the changes concern; or undo them."""
        stack, context = self._stack, self._context
        self._stack = self._context = None
        self._rights_are_fresh, self.effect_of = False, None
        if stack is None:
            return
        if error is not None:
            await stack.__aexit__(type(error), error, error.__traceback__)
            return
        await stack.__aexit__(None, None, None)
        for topic in context.topics if context else ():
            self._run.services.wakeups.wake(topic)

    async def close(self) -> None:
        """Leave no transaction open, whatever happened."""
        await self._close_transaction(Asleep())


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value).decode()


_TOO_MUCH: Final = Text(
    f"Los resultados de la ejecución ocupan más de {_MAX_RUN_BYTES} bytes.",
    f"The outputs of the run take more than {_MAX_RUN_BYTES} bytes.",
)
