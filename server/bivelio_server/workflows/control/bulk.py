"""Cancelling and retrying many runs: the operations, and the jobs behind them."""

from typing import Any, Final

from bivelio_server.jobs.kinds import Batch, JobKind, RowProblem
from bivelio_server.jobs.schemas import JobStarted
from bivelio_server.jobs.starting import start
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound, Problem, ValidationFailed
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.workflows.control import cancelling, queries, retrying
from bivelio_server.workflows.control.schemas import InstancesCancel, InstanceSelection, InstancesRetry
from bivelio_server.workflows.queries import count_instances, require_named
from bivelio_server.workflows.schemas import InstanceFilter, InstanceStatus

OPEN: Final[tuple[InstanceStatus, ...]] = ("running", "waiting", "paused")
BROKEN_OFF: Final[tuple[InstanceStatus, ...]] = ("failed", "cancelled")
#: So many are looked at in one batch, and so many retried, each with its own plan.
_LOOKED_AT: Final = 200
_RETRIED: Final = 100

feature: Final = Feature("workflows")


@feature.operation(
    "cancel_instances", scope=Scope.write, effect=Effect.job, errors=[NotFound],
    summary=Text("Cancela muchas ejecuciones", "Cancel many runs"),
)  # fmt: skip
async def cancel_instances(context: Context, data: InstancesCancel) -> JobStarted:
    params = {**await _selected(context, data, OPEN), "reason": data.reason}
    counts = {"total": params["expected"], "runs": 0, "cancelled": 0, "failed": 0}
    return await start(context, "workflows.cancel_instances", params, counts=counts)


@feature.operation(
    "retry_instances", scope=Scope.write, effect=Effect.job, errors=[NotFound],
    summary=Text("Reintenta muchas ejecuciones", "Retry many runs"),
)  # fmt: skip
async def retry_instances(context: Context, data: InstancesRetry) -> JobStarted:
    params = {**await _selected(context, data, BROKEN_OFF), "version": data.version}
    counts = {"total": params["expected"], "runs": 0, "retried": 0, "failed": 0}
    return await start(context, "workflows.retry_instances", params, counts=counts)


async def cancel_batch(batch: Batch) -> None:
    """With a filter, what has ended meanwhile is passed over; of given ids it is told."""
    await queries.be_patient(batch.context)
    found = await _next(batch, _LOOKED_AT)
    cancelled = await cancelling.cancel_open(batch.context, found, batch.params["reason"])
    batch.count("cancelled", len(cancelled))
    if batch.params["ids"] is not None:
        done = {run.id for run in cancelled}
        _refuse(batch, [(instance_id, "CONFLICT", _ENDED) for instance_id in found if instance_id not in done])
    _finish_if_done(batch)


async def retry_batch(batch: Batch) -> None:
    await queries.be_patient(batch.context)
    found = await _next(batch, _RETRIED)
    refused = await retrying.retry_many(batch.context, found, batch.params["version"])
    batch.count("retried", len(found) - len(refused))
    _refuse(batch, [(instance_id, error.code, error.text) for instance_id, error in refused.items()])
    _finish_if_done(batch)


KINDS: Final = (
    JobKind("workflows.cancel_instances", cancel_batch),
    JobKind("workflows.retry_instances", retry_batch),
)


async def _selected(context: Context, data: InstanceSelection, statuses: tuple[InstanceStatus, ...]) -> dict[str, Any]:
    """Which runs, and how many. Raises NotFound for an id that is nobody's, ValidationFailed for no choice."""
    if (data.ids is None) == (data.filter is None):
        raise ValidationFailed(Problem("ids", "one_of", _EITHER))
    if data.filter is None:
        ids = list(dict.fromkeys(data.ids or ()))
        known = await queries.existing(context, ids)
        for place, instance_id in enumerate(data.ids or ()):
            if instance_id not in known:
                raise NotFound(f"ids[{place}]")
        return {"ids": ids, "filter": None, "expected": len(ids)}
    await require_named(context, data.filter, within="filter.")
    wanted = [status for status in statuses if data.filter.statuses is None or status in data.filter.statuses]
    if not wanted:
        return {"ids": [], "filter": None, "expected": 0}
    chosen = data.filter.model_copy(update={"status": wanted})
    expected = await count_instances(context, chosen)
    return {"ids": None, "filter": chosen.model_dump(mode="json"), "expected": expected}


async def _next(batch: Batch, limit: int) -> list[str]:
    """Of the given ids, or of what the filter finds now after the last one that was looked at.

    What the job itself brings about is not found again: ids go up, and a run keeps its own.
    """
    cursor, ids = batch.cursor, batch.params["ids"]
    if ids is not None:
        at = cursor.get("at", 0)
        found: list[str] = ids[at : at + limit]
        cursor["at"] = at + limit
        cursor["done"] = cursor["at"] >= len(ids)
    else:
        chosen = InstanceFilter.model_validate(batch.params["filter"])
        found, last = await queries.matching(batch.context, chosen, after=cursor.get("after", ""), limit=limit)
        cursor["after"], cursor["done"] = last or "", last is None
    batch.count("runs", len(found))
    return found


def _refuse(batch: Batch, problems: list[tuple[str, str, Text]]) -> None:
    batch.refuse(*(RowProblem(None, instance_id, code, text) for instance_id, code, text in problems))
    batch.count("failed", len(problems))


def _finish_if_done(batch: Batch) -> None:
    batch.progress = min(1.0, batch.counts["runs"] / max(1, batch.params["expected"]))
    if batch.cursor["done"]:
        batch.finish()


_EITHER: Final = Text("Indica 'ids' o 'filter', uno de los dos.", "Give 'ids' or 'filter', one of them.")
_ENDED: Final = Text("La ejecución ya ha terminado.", "The run has already ended.")
