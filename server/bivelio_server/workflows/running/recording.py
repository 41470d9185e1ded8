"""What a run writes: one fenced transaction at a time, in which steps take effect and are recorded.

A step that is an operation commits its effect and its record together, in a transaction that only a worker which still
owns the run can commit: so it happens once. Pure steps (`set`, `if`) cost no commit: they are recorded with the next
one, and computed again if a crash comes first.
"""

import time
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, Final

from bivelio_server.durable import Run
from bivelio_server.kit import json
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.workflows.instances import tell_watchers
from bivelio_server.workflows.running.failures import Asleep
from bivelio_server.workflows.running.state import RunState, StepState, load, present_caller

_ORIGIN: Final = Origin(Door.workflow)
#: What may wait for the next commit.
_MAX_UNSAVED_BYTES: Final = 512 * 1024
_MAX_UNSAVED_STEPS: Final = 500

_RECORD: Final = """
    with given as (
        select * from jsonb_to_recordset(cast(%(steps)s as jsonb)) as r(
            path text, step_id text, position int, uses text, status text, attempts int, input jsonb, output jsonb,
            input_ref jsonb, output_ref jsonb, error jsonb, prepared jsonb, prepared_ref jsonb,
            started_at timestamptz, finished_at timestamptz, retry_at timestamptz)
    ), recorded as (
        insert into workflow_steps (org_id, environment, instance_id, path, step_id, position, uses, status, attempts,
                                    input, output, input_ref, output_ref, error, prepared, prepared_ref, started_at,
                                    finished_at, retry_at)
        select %(org_id)s, %(environment)s, %(id)s, path, step_id, position, uses, status, attempts,
               input, output, input_ref, output_ref, error, prepared, prepared_ref, started_at, finished_at, retry_at
          from given
        on conflict (org_id, environment, instance_id, path, superseded_in) do update
            set status = excluded.status, attempts = excluded.attempts,
                input = case when {has_input} then excluded.input else workflow_steps.input end,
                input_ref = case when {has_input} then excluded.input_ref else workflow_steps.input_ref end,
                output = excluded.output, output_ref = excluded.output_ref,
                error = excluded.error, prepared = excluded.prepared, prepared_ref = excluded.prepared_ref,
                started_at = excluded.started_at, finished_at = excluded.finished_at,
                retry_at = excluded.retry_at
    )
    update workflow_instances
       set status = case when paused_at is not null and %(finished_at)s::timestamptz is null then 'paused'
                         else %(status)s end,
           current_step = %(current_step)s, updated_at = %(now)s,
           output = cast(%(output)s as jsonb), output_ref = cast(%(output_ref)s as jsonb),
           error = cast(%(error)s as jsonb), finished_at = %(finished_at)s
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
    returning paused_at is not null
""".format(has_input="excluded.input is not null or excluded.input_ref is not null")  # noqa: S608 - no input


class Recording:
    """The open transaction of a run, and what is to be recorded with it. `effect_of` is the path of the step whose
    effect it holds, if it does."""

    state: RunState

    def __init__(self, run: Run) -> None:
        self.run = run
        self.effect_of: str | None = None
        self.paused = False
        self._stack: AsyncExitStack | None = None
        self._context: Context | None = None
        self._opened_at = 0.0
        self._unsaved: dict[str, StepState] = {}
        self._unsaved_bytes = 0
        self._rights_are_fresh = False
        self._transactions = 0
        self._asleep_since: int | None = None

    @property
    def services(self) -> Any:
        return self.run.services

    def now(self) -> datetime:
        return self.run.services.clock.now()

    async def open(self) -> bool:
        """Load the run; false when there is nothing to do: it has ended, or is gone."""
        self._stack = AsyncExitStack()
        session = await self._stack.enter_async_context(self.run.transaction())
        state = await load(session, self.run)
        if state is None or state.finished_at is not None:
            await self.close_transaction(None)
            return False
        self.state = state
        self.paused = state.is_paused
        self._context = self._new_context(session)
        self._rights_are_fresh = True
        return True

    async def context(self) -> Context:
        """The open fenced transaction; opened when there is none."""
        if self._context is None:
            self._stack = AsyncExitStack()
            self._context = self._new_context(await self._stack.enter_async_context(self.run.transaction()))
        return self._context

    async def acting_context(self) -> Context:
        """A transaction without an earlier effect in it, with the rights that the workflow has now; it has then been
        seen whether the run is `paused`."""
        if self.effect_of is not None or self._unsaved_bytes > _MAX_UNSAVED_BYTES:
            await self.commit()
        context = await self.context()
        if not self._rights_are_fresh:
            caller, self.paused = await present_caller(context.session, self.run, self.state)
            self.state.caller = context.caller = caller
            self._rights_are_fresh = True
        return context

    def complete(self, step: StepState, output: Any) -> None:
        """The step is done; it is recorded with the next commit."""
        step.output, size = self.state.large.taken(output)
        self._unsaved_bytes += size
        step.status, step.finished_at = "completed", self.now()
        step.error = step.retry_at = None
        if not step.holds_steps:
            step.prepared = None
        self.save(step)

    def save(self, step: StepState) -> None:
        """The step has changed; it is recorded with the next commit."""
        self._unsaved[step.path] = step
        self.state.note(step)
        if step.is_over:
            self.run.get_on()

    async def commit(self, status: str = "running", **ending: Any) -> None:
        """Save what is unsaved and commit."""
        context = self._context
        if context is None:
            return
        if self._unsaved or ending:
            await self._save_progress(context, status, **ending)
        await self.close_transaction(None)
        self._forget_saved()

    async def commit_when_much(self) -> None:
        """Between steps: leave neither much unsaved nor a transaction open for long."""
        is_old = time.monotonic() - self._opened_at > self.services.settings.lease_seconds / 3
        is_much = self._unsaved_bytes > _MAX_UNSAVED_BYTES or len(self._unsaved) > _MAX_UNSAVED_STEPS
        if is_much and self._context is None:
            await self.context()
        if is_old or is_much:
            await self.commit()

    def note_asleep(self) -> None:
        """Some branch has seen that there is nothing to do for it, in the transaction that is open."""
        if self._asleep_since is None:
            self._asleep_since = self._transactions

    async def suspend(self, asleep: Asleep) -> bool:
        """Give the run back; false when it must be walked again, since something may have changed unseen.

        Whoever wakes a run waits for its open transaction. So what was looked at in this one is still so when it
        commits; what was looked at in an earlier one may not be.
        """
        context = await self.context()
        seen, self._asleep_since = self._asleep_since, None
        await self._save_progress(context, asleep.status)
        must_look_again = self.paused != (asleep.status == "paused") or (
            seen is not None and seen != self._transactions
        )
        if must_look_again:
            await self.close_transaction(None)
        else:
            until = asleep.until
            if until is not None:
                # Never for less than a second: the database's clock, ahead of ours, would wake it over and over.
                until = max(until, self.now() + timedelta(seconds=1))
            await self.run.sleep_until(context.session, until)
            await self.close_transaction(None)
        self._forget_saved()
        return not must_look_again

    async def settle(self, step: StepState | None, error: Exception) -> None:
        """Undo what the failed step has begun; what earlier steps did stays."""
        if step is not None and self.effect_of == step.path:
            await self.close_transaction(error)
        else:
            await self.commit()

    async def close_transaction(self, error: Exception | None) -> None:
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
        if context is not None:
            for topic in context.topics:
                self.run.services.wakeups.wake(topic)
            tell_watchers(context, self.state.id)

    async def close(self) -> None:
        """Leave no transaction open, whatever happened."""
        await self.close_transaction(Asleep(None))

    def _new_context(self, session: Any) -> Context:
        self._transactions += 1
        self._opened_at = time.monotonic()
        cause = Cause(f"run:{self.state.id}", self.state.depth + 1)
        return Context(self.state.caller, session, self.run.services, _ORIGIN, cause)

    async def _save_progress(self, context: Context, status: str, **ending: Any) -> None:
        state = self.state
        steps = [await self._row(step) for step in self._unsaved.values()]
        output, file = await state.large.columns(ending.get("output"))
        [(self.paused,)] = await context.session.run(
            _RECORD,
            {
                "org_id": state.org_id,
                "environment": state.environment.value,
                "id": state.id,
                "steps": json.dumps(steps).decode(),
                "status": status,
                "current_step": state.current_step,
                "now": self.now(),
                "output": _as_json(output),
                "output_ref": _as_json(file),
                "error": _as_json(ending.get("error")),
                "finished_at": ending.get("finished_at"),
            },
        )

    def _forget_saved(self) -> None:
        for step in self._unsaved.values():
            if step.is_over:
                step.prepared = None
                self.state.large.forget_prepared(step.path)
        self._unsaved.clear()
        self._unsaved_bytes = 0

    async def _row(self, step: StepState) -> dict[str, Any]:
        """What is stored of a step, with its large values in storage by now."""
        large = self.state.large
        step.input = large.shown(step.input)
        row = step.as_row()
        for name in ("input", "output"):
            row[name], row[f"{name}_ref"] = await large.columns(row[name])
        row["prepared"], row["prepared_ref"] = await large.prepared(step.path, step.prepared)
        return row


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value).decode()
