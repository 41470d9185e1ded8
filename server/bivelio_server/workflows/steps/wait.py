"""`wait`: the run is given back and holds nothing until its time has come."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import MAX_WAIT_SECONDS, WaitStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState
from bivelio_server.workflows.wait_values import NO_NUMBER, moment_of


async def perform(progress: Progress, step: WaitStep, state: StepState, scope: Scope) -> None:
    if state.attempts == 0:
        state.input = await progress.render(step.wait.model_dump(exclude_none=True), "wait", scope)
    until = _end(state.input, state.started_at, ZoneInfo(progress.state.conventions.timezone))
    if state.attempts == 0:
        state.attempts, state.output = 1, {"until": until}
    if until > progress.now():
        await progress.sleep(state, until, scope)
    progress.complete(state, {"until": until})


def _end(given: dict[str, Any], began: datetime, zone: ZoneInfo) -> datetime:
    until = began + _length(given["seconds"]) if "seconds" in given else moment_of(given["until"], zone)
    if until > began + timedelta(seconds=MAX_WAIT_SECONDS):
        raise Impossible(Problem("wait", "maximum", _TOO_LONG))
    return until


def _length(seconds: Any) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | Decimal):
        raise Impossible(Problem("wait.seconds", "number", NO_NUMBER))
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise Impossible(Problem("wait.seconds", "maximum", _TOO_LONG))
    return timedelta(seconds=float(seconds))


_TOO_LONG: Final = Text("Una espera dura como máximo 366 días.", "A wait takes at most 366 days.")
