"""The durable task behind every job: batch after batch, each with the job's progress in one fenced transaction."""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog

from bivelio_server.accounts.roles import rights_of
from bivelio_server.durable import Run, Superseded, spawn
from bivelio_server.jobs import queries
from bivelio_server.jobs.kinds import Batch, JobKind
from bivelio_server.kit import audit
from bivelio_server.kit.caller import Caller, Environment, intersect_rights
from bivelio_server.kit.context import Cause, Context
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import APIError, InternalError, NotFound
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text

FORGET_TASK: Final = "jobs.forget_files"
#: How long what a job has made can be downloaded.
KEPT: Final = timedelta(hours=24)
MAX_FAILURES: Final = 5
#: After this much work a job gives its slot to whatever else is due.
TURN_SECONDS: Final = 1.0
#: A job without a place looks again after a tenth of its age, within these bounds: many that wait must cost little.
_SHORTEST_WAIT: Final = timedelta(seconds=0.5)
_LONGEST_WAIT: Final = timedelta(seconds=30)
_MAKE_WAY_SECONDS: Final = 0.05
_NOBODY: Final = UUID(int=0)
_log = structlog.get_logger()


class _MakeWay(Exception):
    """Somebody is about to cancel the job."""


class JobRunner:
    """The handler of the durable task `jobs.run`."""

    def __init__(self, kinds: Iterable[JobKind], turn_seconds: float = TURN_SECONDS) -> None:
        self._kinds = {kind.operation: kind for kind in kinds}
        self._turn_seconds = turn_seconds

    async def __call__(self, run: Run) -> None:
        if run.kills_workers:
            await _fail(run, InternalError(_BROKE_OFF))
            return
        goes_on, turn_ends = True, time.monotonic() + self._turn_seconds
        while goes_on:
            try:
                goes_on = await self._next_batch(run, turn_ends)
            except Superseded:
                raise
            except _MakeWay:
                await asyncio.sleep(_MAKE_WAY_SECONDS)
            except APIError as error:
                goes_on = await _fail(run, error)
            except Exception as error:
                if passes_by_itself(error):
                    raise  # the worker tries such a run again, without limit
                goes_on = await _try_again(run, error)

    async def _next_batch(self, run: Run, turn_ends: float) -> bool:
        """Whether there is more to do in this turn."""
        async with run.transaction() as session:
            job = await queries.load(session, {**_key(run), "now": run.services.clock.now()})
            if job is None or job.status not in ("queued", "running"):
                return False
            if not job.may_go_on:
                raise _MakeWay
            if not job.has_place:
                await run.sleep_until(session, _looks_again(run, job.created_at))
                return False
            cause = Cause(f"job:{job.id}", job.depth)
            origin = Origin(Door(job.door), job.request_id, job.address)
            context = Context(_present_caller(run, job), session, run.services, origin, cause)
            batch = Batch(context, job.id, job.params, job.cursor, job.counts, job.progress, job.errors_count)
            await self._kind(context, job.operation).run_batch(batch)
            await audit.write(context, job.operation, complete=False)
            await _save(run, batch)
            run.get_on()
            turn_is_over = time.monotonic() >= turn_ends
            if turn_is_over and not batch.finished:
                await run.sleep_until(session, run.services.clock.now())
        for topic in context.topics:
            run.services.wakeups.wake(topic)
        return not (batch.finished or turn_is_over)

    def _kind(self, context: Context, name: str) -> JobKind:
        """Raises InsufficientScope when who started the job may not do so any more."""
        operation = context.services.catalogue.named(name)
        kind = self._kinds.get(name)
        if operation is None or kind is None:
            raise NotFound("operation")
        if not context.caller.may(operation.scope, operation.resource):
            raise insufficient_scope(operation)
        return kind


async def forget_files(run: Run) -> None:
    """The handler of the durable task `jobs.forget_files`."""
    async with run.transaction() as session:
        await queries.forget_files(session, _tenant(run), run.params["job_id"], "input", "output")
        await run.finish(session)


def _looks_again(run: Run, since: datetime) -> datetime:
    now = run.services.clock.now()
    return now + min(max((now - since) / 10, _SHORTEST_WAIT), _LONGEST_WAIT)


def _present_caller(run: Run, job: Any) -> Caller:
    """Who started the job, with the rights of then within those of now; none when the credential is gone."""
    known = job.role is not None
    now = rights_of(job.role, tuple(job.scopes), job.key_type) if known else frozenset[str]()
    return Caller(
        org_id=run.org_id,
        environment=Environment(run.environment),
        actor=job.created_by,
        user_id=job.user_id if known else _NOBODY,
        rights=intersect_rights(job.rights, now),
        plan=job.plan if known else "starter",
        on_behalf_of=job.on_behalf_of,
    )


async def _save(run: Run, batch: Batch) -> None:
    """Where the job stands, with the end of its task if this was the last batch."""
    context, first = batch.context, batch.errors_count + 1
    errors = [
        {
            "number": number, "row": problem.row, "field": problem.field, "code": problem.code,
            "message_es": problem.text.es, "message_en": problem.text.en,
        }
        for number, problem in enumerate(batch.problems, first)
    ]  # fmt: skip
    await queries.add_errors(context.session, _key(run), errors)
    state = {
        "status": "completed" if batch.finished else "running",
        "progress": min(1.0, round(batch.progress, 4)),
        "counts": batch.counts,
        "params": {} if batch.finished else batch.params,
        "cursor": {} if batch.finished else batch.cursor,
        "result": batch.result,
        "errors_count": batch.errors_count + len(errors),
        "finished_at": context.now if batch.finished else None,
    }
    await queries.save(context.session, _key(run), state, context.now)
    if batch.finished:
        await _close(run, context, keeps_output=bool(batch.result and batch.result.get("file_id")))


async def _close(run: Run, context: Context, *, keeps_output: bool) -> None:
    """The input is of no more use; the output can be fetched for a day."""
    roles = ("input",) if keeps_output else ("input", "output")
    job_id = run.params["job_id"]
    await queries.forget_files(context.session, _tenant(run), job_id, *roles)
    if keeps_output:
        await spawn(context, FORGET_TASK, {"job_id": job_id}, at=context.now + KEPT)
    await run.finish(context.session)


async def _try_again(run: Run, error: Exception) -> bool:
    """Put the job to sleep after a defect of ours, longer each time; at last it fails."""
    _log.error("batch_crashed", job=run.params["job_id"], exc_info=error)
    async with run.transaction() as session:
        failures = await queries.count_failure(session, _key(run))
        if failures < MAX_FAILURES:
            await run.sleep_until(session, run.services.clock.now() + timedelta(seconds=2**failures))
            return False
    return await _fail(run, InternalError(_GAVE_UP))


async def _fail(run: Run, error: APIError) -> bool:
    """What earlier batches did stays."""
    details = {"code": error.code, "message_es": error.text.es, "message_en": error.text.en}
    async with run.transaction() as session:
        await queries.fail(session, _key(run), details, run.services.clock.now())
        await queries.forget_files(session, _tenant(run), run.params["job_id"], "input", "output")
        await run.finish(session)
    return False


def _tenant(run: Run) -> dict[str, Any]:
    return {"org_id": run.org_id, "environment": run.environment.value}


def _key(run: Run) -> dict[str, Any]:
    return {**_tenant(run), "id": run.params["job_id"]}


_BROKE_OFF: Final = Text(
    "El proceso que hacía este trabajo se interrumpió una y otra vez (¿memoria agotada?). Lo hecho hasta entonces se"
    " conserva.",
    "The process that did this job broke off again and again (out of memory?). What was done before is kept.",
)
_GAVE_UP: Final = Text(
    f"El trabajo ha fallado {MAX_FAILURES} veces seguidas por un error interno. Lo hecho hasta entonces se conserva.",
    f"The job has failed {MAX_FAILURES} times in a row because of an internal error. What was done before is kept.",
)
