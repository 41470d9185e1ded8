"""Following and cancelling long work."""

from typing import Any, Final

from bivelio_server.durable import cancel as cancel_task
from bivelio_server.jobs import queries
from bivelio_server.jobs.downloads import download_url
from bivelio_server.jobs.models import Job as JobRow
from bivelio_server.jobs.schemas import Job, JobList, JobPage, JobProblem, JobReference
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, NotFound
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text

feature: Final = Feature("jobs")


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un trabajo: su avance, sus errores y su resultado", "Get a job: progress, errors, result"),
)  # fmt: skip
async def get(context: Context, data: JobReference) -> Job:
    return await _view(context, await queries.get(context, data.id))


@feature.operation(
    "list", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los trabajos", "List jobs"),
)  # fmt: skip
async def list_jobs(context: Context, data: JobList) -> JobPage:
    jobs, total = await queries.page(context, data)
    return JobPage.model_validate({"jobs": [_summary(job) for job in jobs], "pagination": Pagination.of(data, total)})


@feature.operation(
    "cancel", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Cancela un trabajo; lo hecho hasta entonces se conserva", "Cancel a job; what it has done stays"),
)  # fmt: skip
async def cancel(context: Context, data: JobReference) -> Job:
    task_id = (await queries.get(context, data.id)).task_id
    await queries.stop(context, data.id)
    # The task first: its handler too locks the run before the job.
    await cancel_task(context, task_id)
    job = await queries.get_locked(context, data.id)
    if job.status in ("completed", "failed"):
        raise Conflict(_ENDED.format(status=job.status))
    if job.status != "cancelled":
        job.status, job.finished_at, job.params, job.cursor = "cancelled", context.now, {}, {}
        await context.session.flush()
        await queries.forget_files(context.session, identity(context.caller), job.id, "input", "output")
    return await _view(context, job)


async def _view(context: Context, job: JobRow) -> Job:
    """Who may not read what the job is about sees how it goes, but neither its result nor its errors."""
    may_read = context.caller.may(Scope.read, job.operation.partition(".")[0])
    errors = [_ending(job.error)] if job.error else []
    if may_read:
        errors += [
            JobProblem(row=error.row, field=error.field, code=error.code, message=error.message_es)
            for error in await queries.errors_of(context, job.id)
        ]
    result = await _result(context, job.result) if may_read and job.result else None
    return Job(**_summary(job), errors=errors, result=result)


async def _result(context: Context, result: dict[str, Any]) -> dict[str, Any]:
    """A file comes with the address to fetch it from, valid for an hour; null once it is erased."""
    file_id = result.get("file_id")
    if file_id is None:
        return result
    known = await queries.existing_files(context, [file_id])
    return {**result, "url": download_url(context, file_id) if file_id in known else None}


def _summary(job: JobRow) -> dict[str, Any]:
    names = ("id", "operation", "status", "progress", "counts", "created_at", "started_at", "finished_at")
    return {name: getattr(job, name) for name in names}


def _ending(error: dict[str, Any]) -> JobProblem:
    message = error["message_en"] if DEFAULT_LANGUAGE == "en" else error["message_es"]
    return JobProblem(row=None, field=None, code=error["code"], message=message)


_ENDED: Final = Text("El trabajo ya ha terminado ({status}).", "The job has already ended ({status}).")
