"""The time, as something that a test can move."""

from datetime import UTC, datetime, timedelta


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def outside(self) -> datetime:
        """The time of other machines, for what they check: signatures, tokens."""
        return self.now()

    def ahead_by(self, ahead: timedelta) -> "Clock":
        """The clock of a sandbox whose developer has moved it."""
        return AheadClock(self, ahead) if ahead else self


class AheadClock(Clock):
    """A clock ahead of another one."""

    def __init__(self, true: Clock, ahead: timedelta) -> None:
        self._true = true
        self._ahead = ahead

    def now(self) -> datetime:
        return self._true.now() + self._ahead

    def outside(self) -> datetime:
        return self._true.outside()

    def ahead_by(self, ahead: timedelta) -> Clock:
        return self._true.ahead_by(ahead)


class MovableClock(Clock):
    """A clock ahead of the real one by what `advance` was told, for tests."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def advance(self, **by: float) -> None:
        self.ahead += timedelta(**by)
