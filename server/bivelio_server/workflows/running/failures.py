"""How a step leaves its run: for a while, for good, or with an error."""

from datetime import datetime
from typing import Any

from bivelio_server.kit.errors import APIError, ValidationFailed
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.kit.tracing import EndsEarly
from bivelio_server.workflows.expressions import ExpressionError
from bivelio_server.workflows.problems import expression_problem


class Asleep(EndsEarly):
    """Nothing is to be done here before `until`, or before the run is woken when that is None.

    `status` is what the run shows meanwhile.
    """

    def __init__(self, until: datetime | None, status: str = "waiting") -> None:
        super().__init__()
        self.until = until
        self.status = status

    def with_(self, other: "Asleep | None") -> "Asleep":
        """Both: until the earlier of their times, unless the run is paused."""
        if other is None or isinstance(self, Held):
            return self
        if isinstance(other, Held):
            return other
        times = [one.until for one in (self, other) if one.until is not None]
        status = "waiting" if "waiting" in (self.status, other.status) else self.status
        return Asleep(min(times, default=None), status)


class Held(Asleep):
    """The run is paused: nothing more begins."""

    def __init__(self) -> None:
        super().__init__(None, "paused")


class StepFailed(Exception):
    """The step at `path` failed with `error`, as the run keeps it; None: what failed belongs to no step."""

    def __init__(self, path: str | None, error: dict[str, Any]) -> None:
        super().__init__(error.get("message"))
        self.path = path
        self.error = error


class TimedOut(EndsEarly):
    """The time of the step at `path` is over; that of the whole run when it is empty."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path


class Stopped(EndsEarly):
    """The run ends here, as the step at `path` says."""

    def __init__(self, path: str, status: str, output: Any, message: str | None) -> None:
        super().__init__()
        self.path = path
        self.status = status
        self.output = output
        self.message = message


class OutOfTime(APIError):
    """Kept in runs only."""

    status = 503
    code = "TIMEOUT"
    text = Text("No terminó dentro de su plazo.", "It did not end within its time.")


class RunOutOfTime(OutOfTime):
    """The whole run's time is over, whichever steps were under way."""

    text = Text(
        "La ejecución entera no terminó dentro de su plazo; los pasos que estaban en curso figuran como cancelados.",
        "The whole run did not end within its time; the steps that were under way are shown as cancelled.",
    )


class WorkerLost(APIError):
    """Kept in runs only: the worker process died here again and again."""

    text = Text(
        "El proceso que ejecutaba este paso se interrumpió una y otra vez (¿memoria agotada?).",
        "The process that ran this step broke off again and again (out of memory?).",
    )


def kept(error: APIError, step_id: str | None, path: str | None) -> dict[str, Any]:
    """The error as a run keeps and shows it, `message` in Spanish."""
    return {**error.render(DEFAULT_LANGUAGE), "message_en": error.text.en, "step_id": step_id, "path": path}


def expression_failed(error: ExpressionError) -> ValidationFailed:
    return ValidationFailed(expression_problem(error, error.path or "expression"))
