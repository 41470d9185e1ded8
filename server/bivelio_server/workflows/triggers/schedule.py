"""When a schedule is due: a cron expression of five fields, on the clock of a place.

Where clocks change, a time of day that does not exist is due as soon as the clock has jumped, and one that comes twice
is due the first time: so what is to run once a day does. An expression whose minute or hour begins with `*` means a
rhythm: it is due whenever the clock shows such a time, twice if it shows it twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)
_FIELDS: Final = 5


#: What cronsim says of a wrong field.
_WRONG_FIELDS: Final = {
    f"Bad {name}": position for position, name in enumerate(("minute", "hour", "day-of-month", "month", "day-of-week"))
}


class NoSchedule(ValueError):
    """The expression is none; `field` is the position of the wrong one, from 0, if it has five."""

    def __init__(self, field: int | None = None) -> None:
        super().__init__()
        self.field = field


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times are aware, in UTC."""

    cron: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        """Raises NoSchedule."""
        if len(self.cron.split()) != _FIELDS:
            raise NoSchedule
        try:
            CronSim(self.cron, datetime(2000, 1, 1))  # noqa: DTZ001 - only parsed
        except (CronSimError, ValueError, AssertionError, TypeError) as error:
            raise NoSchedule(_WRONG_FIELDS.get(str(error))) from None

    def after(self, moment: datetime) -> datetime | None:
        """The first time that is later; None when there is none within fifty years."""
        return next(self.times(moment), None)

    def latest(self, since: datetime, until: datetime) -> datetime:
        """The last time from `since`, which is one, to `until`."""
        while until - since > _HOUR:
            middle = since + (until - since) / 2
            time = self.after(middle)
            since, until = (since, middle) if time is None or time > until else (time, until)
        return [since, *self._between(since, until)][-1]

    def count(self, since: datetime, before: datetime, *, most: int) -> int:
        """How many times there are from `since` until before `before`, if not more than `most`."""
        earlier = (time for time in self._between(since - _SECOND, before) if time < before)
        return sum(1 for _ in islice(earlier, most))

    def times(self, moment: datetime) -> Iterator[datetime]:
        """All that are later, in their order."""
        minute, hour = self.cron.split()[:2]
        is_rhythm = minute.startswith("*") or hour.startswith("*")
        return self._rhythm(moment) if is_rhythm else self._times_of_day(moment)

    def _between(self, moment: datetime, until: datetime) -> Iterator[datetime]:
        for time in self.times(moment):
            if time > until:
                return
            yield time

    def _times_of_day(self, moment: datetime) -> Iterator[datetime]:
        last = moment
        for shown in CronSim(self.cron, self._shown_at(moment)):
            time = self._first_showing(shown)
            if time > last:
                yield time
                last = time

    def _rhythm(self, moment: datetime) -> Iterator[datetime]:
        """Between two changes the clock runs evenly; at each change it is looked at anew. Of a long time in which it
        shows nothing that is meant, only the first and the last day can hold a change that matters."""
        begin, known, offset = moment, moment, self._offset(moment)
        while True:
            for shown in CronSim(self.cron, (begin + offset).replace(tzinfo=None)):
                time = shown.replace(tzinfo=UTC) - offset
                if time - known > 3 * _DAY and self._change(known, known + _DAY, offset) is None:
                    begin = known = time - _DAY
                    offset = self._offset(begin)
                    break
                change = self._change(known, time, offset)
                if change is not None:
                    begin, known, offset = change - _SECOND, change, self._offset(change)
                    break
                yield time
                known = time
            else:
                return

    def _first_showing(self, shown: datetime) -> datetime:
        """When the clock shows this first; what it never shows is jumped over: then it is when it jumps."""
        time = shown.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        if self._shown_at(time) == shown:
            return time
        before = time - _DAY
        return self._change(before, time, self._offset(before)) or time

    def _change(self, since: datetime, until: datetime, offset: timedelta) -> datetime | None:
        """The first moment after `since`, when the offset is this one, at which it is another; None: not by `until`."""
        while since < until:
            later = min(since + _DAY, until)
            if self._offset(later) != offset:
                while later - since > _SECOND:
                    middle = since + timedelta(seconds=(later - since) // _SECOND // 2)
                    since, later = (middle, later) if self._offset(middle) == offset else (since, middle)
                return later
            since = later
        return None

    def _shown_at(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def _offset(self, moment: datetime) -> timedelta:
        offset = moment.astimezone(self.zone).utcoffset()
        assert offset is not None
        return offset
