"""`wait`: the run is given back and holds nothing until its time has come."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import MAX_WAIT_SECONDS, WaitStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


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
    until = began + _length(given["seconds"]) if "seconds" in given else _moment(given["until"], zone)
    if until > began + timedelta(seconds=MAX_WAIT_SECONDS):
        raise Impossible(Problem("wait", "maximum", _TOO_LONG))
    return until


def _length(seconds: Any) -> timedelta:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float | Decimal):
        raise Impossible(Problem("wait.seconds", "number", _NO_NUMBER))
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise Impossible(Problem("wait.seconds", "maximum", _TOO_LONG))
    return timedelta(seconds=float(seconds))


def _moment(given: Any, zone: ZoneInfo) -> datetime:
    """A time with its offset, or a date: its first moment where the organisation is."""
    try:
        if isinstance(given, datetime):
            return given.astimezone(UTC)
        if isinstance(given, str) and len(given) == len("2026-04-07"):
            return datetime.combine(date.fromisoformat(given), time(), zone).astimezone(UTC)
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Impossible(Problem("wait.until", "date-time", _NO_TIME))


_NO_NUMBER: Final = Text("'wait.seconds' debe dar un número.", "'wait.seconds' must give a number.")
_NO_TIME: Final = Text(
    "'wait.until' debe dar una fecha, o una fecha y hora con desfase, como 2026-04-07T12:00:00Z.",
    "'wait.until' must give a date, or a date and time with an offset, such as 2026-04-07T12:00:00Z.",
)
_TOO_LONG: Final = Text("Una espera dura como máximo 366 días.", "A wait takes at most 366 days.")
