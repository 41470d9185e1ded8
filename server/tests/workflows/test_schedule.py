"""When schedules are due, above all where clocks change."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from bivelio_server.workflows.triggers.schedule import NoSchedule, Schedule

MADRID = "Europe/Madrid"
LORD_HOWE = "Australia/Lord_Howe"


def due(cron: str, zone: str, since: str, count: int) -> list[str]:
    """The next times, as the clock there shows them with its offset; `since` is a time of that clock."""
    place = ZoneInfo(zone)
    begin = datetime.fromisoformat(since).replace(tzinfo=place).astimezone(UTC)
    times = islice(Schedule(cron, place).times(begin), count)
    return [time.astimezone(place).strftime("%m-%d %H:%M%z") for time in times]


@pytest.mark.parametrize(
    ("cron", "zone", "since", "expected"),
    [
        # In the night when it jumps from 2:00 to 3:00, 2:30 does not exist: as soon as it has jumped.
        ("30 2 * * *", MADRID, "2027-03-27T12:00", ["03-28 03:00+0200", "03-29 02:30+0200"]),
        ("0,30 2 * * *", MADRID, "2027-03-27T12:00", ["03-28 03:00+0200", "03-29 02:00+0200", "03-29 02:30+0200"]),
        ("0 3 * * *", MADRID, "2027-03-27T12:00", ["03-28 03:00+0200", "03-29 03:00+0200"]),
        # In the night when it shows 2:30 twice: the first time only.
        ("30 2 * * *", MADRID, "2027-10-30T12:00", ["10-31 02:30+0200", "11-01 02:30+0100"]),
        ("30 1,2,3 * * *", MADRID, "2027-10-31T00:00", ["10-31 01:30+0200", "10-31 02:30+0200", "10-31 03:30+0100"]),
        # A rhythm goes on evenly.
        ("30 * * * *", MADRID, "2027-10-31T01:00",
         ["10-31 01:30+0200", "10-31 02:30+0200", "10-31 02:30+0100", "10-31 03:30+0100"]),
        ("*/30 * * * *", MADRID, "2027-03-28T01:00", ["03-28 01:30+0100", "03-28 03:00+0200", "03-28 03:30+0200"]),
        ("*/30 2 * * *", MADRID, "2027-03-28T00:00", ["03-29 02:00+0200", "03-29 02:30+0200"]),
        ("*/30 2 * * *", MADRID, "2027-10-31T00:00",
         ["10-31 02:00+0200", "10-31 02:30+0200", "10-31 02:00+0100", "10-31 02:30+0100", "11-01 02:00+0100"]),
        # Where it is half an hour: from 2:00 to 2:30 in October, from 2:00 back to 1:30 in April.
        ("15 2 * * *", LORD_HOWE, "2027-10-02T12:00", ["10-03 02:30+1100", "10-04 02:15+1100"]),
        ("45 1 * * *", LORD_HOWE, "2027-04-03T12:00", ["04-04 01:45+1100", "04-05 01:45+1030"]),
        ("*/15 1 * * *", LORD_HOWE, "2027-04-04T01:15",
         ["04-04 01:30+1100", "04-04 01:45+1100", "04-04 01:30+1030", "04-04 01:45+1030", "04-05 01:00+1030"]),
        ("*/10 5 * * *", LORD_HOWE, "2027-10-03T00:00", ["10-03 05:00+1100", "10-03 05:10+1100"]),
        ("0 0 29 2 *", MADRID, "2027-01-01T00:00", ["02-29 00:00+0100"]),
        ("0 9 L * *", "UTC", "2027-02-01T00:00", ["02-28 09:00+0000", "03-31 09:00+0000"]),
        ("0 9 * * MON-FRI", MADRID, "2027-01-01T10:00", ["01-04 09:00+0100"]),
        ("* * * * *", "Asia/Kolkata", "2027-01-01T00:00", ["01-01 00:01+0530", "01-01 00:02+0530"]),
    ],
)  # fmt: skip
def test_schedules_follow_the_clock_of_their_place(cron: str, zone: str, since: str, expected: list[str]) -> None:
    assert due(cron, zone, since, len(expected)) == expected


def test_a_time_of_day_that_comes_twice_is_not_due_again_when_asked_in_between() -> None:
    place = ZoneInfo(MADRID)
    between = datetime(2027, 10, 31, 2, 15, fold=1, tzinfo=place).astimezone(UTC)

    time = Schedule("30 2 * * *", place).after(between)

    assert time == datetime(2027, 11, 1, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "cron",
    ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "*/0 * * * *", "5-1 * * * *", "a * * * *", "* * 1/L * *", "* * * * L", "* * * * 1#6", "-1 * * * *", "١ * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(cron: str) -> None:
    with pytest.raises(NoSchedule):
        Schedule(cron, ZoneInfo("UTC"))


@pytest.mark.parametrize("cron", ["0 0 30 2 1-7/9", "0 0 31 2 *", "0 0 30 2 *"])
def test_a_date_that_never_comes_is_no_schedule_or_never_due(cron: str) -> None:
    try:
        time = Schedule(cron, ZoneInfo("UTC")).after(datetime(2000, 1, 1, tzinfo=UTC))
    except NoSchedule:
        return
    assert time is None or time.month == 2


@settings(max_examples=60, deadline=None)
@given(
    cron=st.sampled_from(
        ["*/7 * * * *", "13 * * * *", "*/20 1-3 * * *", "* 2 * * *", "5 */5 * * *", "0 4 * * *", "40 1,2 * * *"]
    ),
    zone=st.sampled_from([MADRID, LORD_HOWE, "America/New_York", "America/St_Johns", "Africa/Casablanca", "UTC"]),
    month=st.sampled_from([(2026, 6), (2027, 2), (2027, 3), (2027, 4), (2027, 10), (2027, 11)]),
    seconds=st.integers(0, 31 * 86_400),
    hours=st.integers(1, 72),
)
def test_times_are_those_that_the_clock_shows(
    cron: str, zone: str, month: tuple[int, int], seconds: int, hours: int
) -> None:
    begin = datetime(*month, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    end, schedule = begin + timedelta(hours=hours), Schedule(cron, ZoneInfo(zone))
    times = [begin, *until(schedule, begin, end)]

    assert times == sorted(set(times))
    fields = CronSim(cron, begin)
    local = {time: time.astimezone(ZoneInfo(zone)) for time in minutes(begin, end)}
    shown = {time for time, at in local.items() if at.minute in fields.minutes and at.hour in fields.hours}
    if cron.startswith("*") or cron.split()[1].startswith("*"):
        assert set(times[1:]) == shown
    if len(times) > 2:
        assert schedule.latest(times[1], end) == times[-1]
        assert schedule.count(times[1], times[-1], most=5) == min(5, len(times) - 2)


def until(schedule: Schedule, begin: datetime, end: datetime) -> list[datetime]:
    found = []
    for time in schedule.times(begin):
        if time > end:
            break
        found.append(time)
    return found


def minutes(begin: datetime, end: datetime) -> list[datetime]:
    """Every full minute after `begin`."""
    first = begin.replace(second=0) + timedelta(minutes=1)
    return [first + timedelta(minutes=number) for number in range(int((end - first) / timedelta(minutes=1)) + 1)]
