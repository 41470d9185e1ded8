"""The time, as something that a test can move."""

from datetime import UTC, datetime, timedelta


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class MovableClock(Clock):
    """A clock ahead of the real one by what `advance` was told, for tests."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self._ahead

    def advance(self, **by: float) -> None:
        self._ahead += timedelta(**by)
