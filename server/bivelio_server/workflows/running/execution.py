"""A run from where it was left to its end, or to where there is nothing to do for now."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bivelio_server.durable import Run
from bivelio_server.events.recording import record
from bivelio_server.kit.errors import APIError
from bivelio_server.workflows.control.waking import tell_parent
from bivelio_server.workflows.definition import Step
from bivelio_server.workflows.events import COMPLETED, FAILED
from bivelio_server.workflows.expressions import ExpressionError
from bivelio_server.workflows.instances import ENDED, admit_next, finished_topic
from bivelio_server.workflows.running.failures import (
    Asleep,
    RunOutOfTime,
    StepFailed,
    Stopped,
    TimedOut,
    expression_failed,
    kept,
)
from bivelio_server.workflows.running.large import Large
from bivelio_server.workflows.running.recording import Recording
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.walker import Walker
from bivelio_server.workflows.schemas import FinishedInstance


async def run_instance(run: Run) -> None:
    """The handler of the durable task `workflows.run`."""
    recording = Recording(run)
    try:
        if await recording.open():
            await Execution(recording).go()
    finally:
        await recording.close()


class Execution:
    """One attempt at a run, in as few transactions as its effects need."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._walker = Walker(recording)

    async def go(self) -> None:
        await self._walker.start()
        while True:
            try:
                await self._to_the_end()
            except Asleep as asleep:
                if not await self._recording.suspend(asleep):
                    continue
            return

    async def _to_the_end(self) -> None:
        definition = self._recording.state.definition
        try:
            output = await self._walk(definition.steps, self._whole())
            if definition.output is not None:
                output = await self._rendered(definition.output)
        except Stopped as stop:
            await self._walker.abandon_all()
            await self._stop(stop)
        except StepFailed as failure:
            # Not those of the error handler, which may wait in the middle of them.
            await self._walker.abandon(definition.steps, Scope())
            await self._fail(failure)
        else:
            await self._end("completed", output=output)

    def _whole(self) -> Scope:
        state = self._recording.state
        longest = state.definition.timeout_seconds
        began = state.since(state.started_at)
        return Scope() if longest is None else Scope().until(began + timedelta(seconds=longest), "")

    async def _walk(self, steps: Sequence[Step], scope: Scope) -> Any:
        try:
            return await self._walker.walk(steps, scope)
        except TimedOut:
            raise StepFailed(None, kept(RunOutOfTime(), None, None)) from None
        except APIError as error:
            raise StepFailed(None, kept(error, None, None)) from None

    async def _rendered(self, output: dict[str, Any]) -> Any:
        try:
            rendered = await self._walker.render(output, "output", Scope())
            taken, _ = self._recording.state.large.taken(rendered, counts=False)
        except ExpressionError as error:
            raise StepFailed(None, kept(expression_failed(error), None, None)) from None
        except APIError as error:
            raise StepFailed(None, kept(error, None, None)) from None
        return taken

    async def _fail(self, failure: StepFailed) -> None:
        """The workflow's error handler has its say before the run ends as failed."""
        error = failure.error
        try:
            await self._walk(self._recording.state.definition.on_error, Scope(names={"error": error}))
        except Stopped as stop:
            await self._walker.abandon_all()
            await self._stop(stop)
            return
        except StepFailed as second:
            await self._walker.abandon_all()
            error = {**error, "handler_error": second.error}
        await self._end("failed", error=error)

    async def _stop(self, stop: Stopped) -> None:
        if stop.status == "completed":
            await self._end("completed", output=stop.output)
            return
        step_id = stop.path.rpartition(".")[2]
        said = {"message": stop.message, "message_en": stop.message}
        error = {"code": "STOPPED", **said, "step_id": step_id, "path": stop.path}
        await self._end("failed", output=stop.output, error=error)

    async def _end(self, status: str, *, output: Any = None, error: dict[str, Any] | None = None) -> None:
        """Record the outcome, its event and the end of the task in one transaction."""
        recording, state = self._recording, self._recording.state
        context, now = await recording.context(), recording.now()
        output, _ = state.large.taken(output, counts=False)
        is_large = isinstance(output, Large)
        finished = FinishedInstance(
            instance_id=state.id,
            workflow_id=state.workflow_id,
            workflow_name=state.workflow_name,
            status="completed" if status == "completed" else "failed",
            duration_ms=max(0, round((now - state.started_at).total_seconds() * 1000)),
            output=None if is_large else output,
            output_truncated=is_large,
            error=error,
        )
        await record(context, COMPLETED if status == "completed" else FAILED, finished)
        if state.concurrency == "queue":
            await admit_next(context, state.workflow_id)
        if recording.run.params.get("awaited"):
            context.wake(finished_topic(state.id))
        await tell_parent(context, state.parent_id, state.parent_path)
        await recording.run.finish(context.session)
        await recording.commit(status, output=output, error=error, finished_at=now)
        ENDED.labels(status).inc()
