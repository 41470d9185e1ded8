"""Days, months and years as a calendar counts them.

A moment is a timestamp or its text, and is counted in a time zone: the organisation's unless another is named. A date
is a text like `2026-01-31`; what is done to a date gives a date. CEL's own accessors count in UTC, as it defines.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import partial

from bivelio_server.workflows.expressions.errors import EvaluationError, NoOverloadError, shown
from bivelio_server.workflows.expressions.functions.arguments import Function, list_in, text_in, whole_in
from bivelio_server.workflows.expressions.limits import DAY_STEPS, TIME_STEPS, ZONE_STEPS, Budget
from bivelio_server.workflows.expressions.times import (
    DURATION_PARTS,
    TIMESTAMP_PARTS,
    date_from,
    in_utc,
    local,
    local_time_from,
    out_of_range,
    timestamp_from,
    zone_of,
)
from bivelio_server.workflows.expressions.values import Value, adopt

_SATURDAY = 5


def date_of(arguments: Sequence[Value], budget: Budget) -> Value:
    """The date on which a moment falls."""
    value, *zone = arguments
    return on_calendar(value, zone, budget).date().isoformat()


def moment_in_zone(text: str, zone: str, budget: Budget) -> datetime:
    """When a clock in that zone shows this day and time."""
    return _moment(local_time_from(text), in_zone(zone, budget))


def on_calendar(value: Value, zone: Sequence[Value], budget: Budget) -> datetime:
    """A moment as the clocks of its zone show it, or midnight of a date, which has no zone."""
    budget.spend(TIME_STEPS)
    where = in_zone(text_in(zone[0]) if zone else budget.conventions.timezone, budget)
    if isinstance(value, datetime):
        return local(value, where)
    day = date_from(text_in(value))
    return local(timestamp_from(text_in(value)), where) if day is None else datetime.combine(day, time.min)


def in_zone(name: str, budget: Budget) -> tzinfo:
    if name == "UTC":
        return UTC
    if name not in budget.zones:
        budget.spend(ZONE_STEPS)
        budget.zones[name] = zone_of(name)
    return budget.zones[name]


def _moved(value: Value, zone: Sequence[Value], budget: Budget, move: Callable[[date], date]) -> Value:
    """The same time of another day."""
    start = on_calendar(value, zone, budget)
    try:
        day = move(start.date())
    except (OverflowError, ValueError):
        raise out_of_range() from None
    if start.tzinfo is None:
        return day.isoformat()
    return _moment(datetime.combine(day, start.time()).replace(fold=start.fold), start.tzinfo)


def _moment(shown_time: datetime, zone: tzinfo) -> datetime:
    return in_utc(shown_time.replace(tzinfo=zone))


def _add_days(arguments: Sequence[Value], budget: Budget) -> Value:
    value, count, *zone = arguments
    days = whole_in(count)
    return _moved(value, zone, budget, lambda day: day + timedelta(days=days))


def _add_months(arguments: Sequence[Value], budget: Budget, *, unit: int = 1) -> Value:
    """The same day of another month, or its last when it has no such day."""
    value, count, *zone = arguments
    months = whole_in(count) * unit
    return _moved(value, zone, budget, lambda day: _months_later(day, months))


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, _days_in_month(first)))


def _days_in_month(first: date) -> int:
    return 31 if first.month == 12 else (first.replace(month=first.month + 1) - first).days


def _add_workdays(arguments: Sequence[Value], budget: Budget) -> Value:
    """Days from Monday to Friday that are no holidays; the last argument but the zone lists those."""
    value, count, *rest = arguments
    days = whole_in(count)
    budget.spend(DAY_STEPS * abs(days))
    holidays = _dates(list_in(rest[0]), budget) if rest else set[date]()
    return _moved(value, rest[1:], budget, lambda day: _workdays_later(day, days, holidays, budget))


def _workdays_later(day: date, count: int, holidays: set[date], budget: Budget) -> date:
    step = timedelta(days=1 if count > 0 else -1)
    left = abs(count)
    while left:
        budget.spend(DAY_STEPS)
        day += step
        left -= day.weekday() < _SATURDAY and day not in holidays
    return day


def _dates(items: list[object], budget: Budget) -> set[date]:
    budget.spend(TIME_STEPS * len(items))
    return {on_calendar(adopt(item), (), budget).date() for item in items}


def _days_between(arguments: Sequence[Value], budget: Budget) -> Value:
    """How often midnight passes from the first to the second; negative when the second is earlier."""
    first, second, *zone = arguments
    return (on_calendar(second, zone, budget).date() - on_calendar(first, zone, budget).date()).days


def _start_of(arguments: Sequence[Value], budget: Budget) -> Value:
    value, unit, *zone = arguments
    start = on_calendar(value, zone, budget)
    return _at(_first_day(start.date(), text_in(unit)), start.tzinfo)


def _end_of(arguments: Sequence[Value], budget: Budget) -> Value:
    """The last day, or the last second."""
    value, unit, *zone = arguments
    start = on_calendar(value, zone, budget)
    try:
        following = _following_first_day(start.date(), text_in(unit))
        if start.tzinfo is None:
            return (following - timedelta(days=1)).isoformat()
        return _moment(datetime.combine(following, time.min), start.tzinfo) - timedelta(seconds=1)
    except (OverflowError, ValueError):
        raise out_of_range() from None


def _at(day: date, zone: tzinfo | None) -> Value:
    return day.isoformat() if zone is None else _moment(datetime.combine(day, time.min), zone)


def _first_day(day: date, unit: str) -> date:
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=min(day.weekday(), (day - date.min).days))
    if unit in _MONTHS:
        months = _MONTHS[unit]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)
    raise _no_unit(unit)


def _following_first_day(day: date, unit: str) -> date:
    first = _first_day(day, unit)
    if unit in _MONTHS:
        return _months_later(first, _MONTHS[unit])
    return first + timedelta(days=7 if unit == "week" else 1)


def _no_unit(unit: str) -> EvaluationError:
    return EvaluationError(
        f"«{shown(unit)}» no es day, week, month, quarter ni year.",
        f"“{shown(unit)}” is none of day, week, month, quarter and year.",
    )


def _part(name: str, arguments: Sequence[Value], budget: Budget) -> Value:
    value, *zone = arguments
    if isinstance(value, datetime | str):
        return TIMESTAMP_PARTS[name](on_calendar(value, zone or ("UTC",), budget))
    if isinstance(value, timedelta) and name in DURATION_PARTS and not zone:
        return DURATION_PARTS[name](value)
    raise NoOverloadError


_MONTHS = {"month": 1, "quarter": 3, "year": 12}

FUNCTIONS: dict[str, Function] = {}
METHODS: dict[str, Function] = {name: Function(0, 1, partial(_part, name)) for name in TIMESTAMP_PARTS}
EITHER: dict[str, Function] = {
    "addDays": Function(2, 3, _add_days),
    "addMonths": Function(2, 3, _add_months),
    "addYears": Function(2, 3, partial(_add_months, unit=12)),
    "addWorkdays": Function(2, 4, _add_workdays),
    "daysBetween": Function(2, 3, _days_between),
    "startOf": Function(2, 3, _start_of),
    "endOf": Function(2, 3, _end_of),
}
