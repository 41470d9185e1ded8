"""What `wait` takes, for who checks a definition and for who takes the step."""

from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text


def moment_of(given: Any, zone: ZoneInfo) -> datetime:
    """A time with its offset, or a date: its first moment where the organisation is. Raises Impossible."""
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


NO_NUMBER: Final = Text("'wait.seconds' debe dar un número.", "'wait.seconds' must give a number.")
_NO_TIME: Final = Text(
    "'wait.until' debe dar una fecha, o una fecha y hora con desfase, como 2026-04-07T12:00:00Z.",
    "'wait.until' must give a date, or a date and time with an offset, such as 2026-04-07T12:00:00Z.",
)
