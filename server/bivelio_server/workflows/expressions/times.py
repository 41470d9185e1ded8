"""Timestamps (RFC 3339, kept in UTC) and durations (`1h30m`), with CEL's accessors."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from bivelio_server.workflows.expressions.errors import EvaluationError, shown

MAX_DURATION = timedelta(seconds=315_576_000_000)  # ten thousand years, as CEL
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)

_TIMESTAMP = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_DURATION = re.compile(r"[+-]?(?:0|(?:[0-9]{1,18}(?:\.[0-9]{0,9})?(?:h|ms|m|s|us|µs|ns)){1,8})")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(h|ms|m|s|us|µs|ns)")
_MICROSECONDS = {
    "h": Decimal(3_600_000_000),
    "m": Decimal(60_000_000),
    "s": Decimal(1_000_000),
    "ms": Decimal(1000),
    "us": Decimal(1),
    "µs": Decimal(1),
    "ns": Decimal("0.001"),
}
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?)?")
_OFFSET = re.compile(r"([+-]?)([0-9]{2}):([0-9]{2})")
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,2}")


def timestamp_from(text: str) -> datetime:
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        raise _not_a_timestamp(text)
    day, time, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0')[:6]:0<6}{zone.upper()}")
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _not_a_timestamp(text) from None


def date_from(text: str) -> date | None:
    """The day of a text like `2026-01-31`; None when it has another form."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise _not_a_date(text) from None


def local_time_from(text: str) -> datetime:
    """A day, perhaps with a time, as a clock on a wall shows them."""
    try:
        if _LOCAL_TIME.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise _not_a_date(text)


def timestamp_at(seconds: int) -> datetime:
    """Seconds since 1970."""
    try:
        return EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        raise out_of_range() from None


def in_utc(moment: datetime) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        raise EvaluationError("La fecha no indica su zona horaria.", "The timestamp has no time zone.")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise out_of_range() from None


def timestamp_text(moment: datetime) -> str:
    digits = moment.microsecond
    precision = "seconds" if digits == 0 else "milliseconds" if digits % 1000 == 0 else "microseconds"
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def duration_from(text: str) -> timedelta:
    if not _DURATION.fullmatch(text):
        raise EvaluationError(
            f"«{shown(text)}» no es una duración como «1h30m».",
            f"“{shown(text)}” is not a duration such as “1h30m”.",
        )
    total = sum((Decimal(count) * _MICROSECONDS[unit] for count, unit in _DURATION_PART.findall(text)), Decimal(0))
    return bounded_duration(lambda: timedelta(microseconds=int(-total if text.startswith("-") else total)))


def duration_text(length: timedelta) -> str:
    """Seconds, with three or six decimals when there are any: `3600s`, `-0.250s`."""
    total = length // _MICROSECOND
    seconds, rest = divmod(abs(total), 1_000_000)
    fraction = "" if rest == 0 else f".{rest // 1000:03}" if rest % 1000 == 0 else f".{rest:06}"
    return f"{'-' if total < 0 else ''}{seconds}{fraction}s"


def moved(moment: datetime, length: timedelta) -> datetime:
    try:
        return moment + length
    except OverflowError:
        raise out_of_range() from None


def bounded_duration(operation: Callable[[], timedelta]) -> timedelta:
    try:
        length = operation()
    except OverflowError:
        raise out_of_range() from None
    if abs(length) > MAX_DURATION:
        raise out_of_range()
    return length


def epoch_seconds(moment: datetime) -> int:
    return (moment - EPOCH) // _SECOND


def zone_of(name: str) -> tzinfo:
    """`Europe/Madrid`, `UTC` or an offset such as `+02:00`."""
    zone = _zone_of(name[:100])
    if zone is None:
        raise EvaluationError(
            f"«{shown(name)}» no es una zona horaria como «Europe/Madrid».",
            f"“{shown(name)}” is not a time zone such as “Europe/Madrid”.",
        )
    return zone


@lru_cache(maxsize=64)
def _zone_of(name: str) -> tzinfo | None:
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        length = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-length if sign == "-" else length) if length < timedelta(hours=24) else None
    if not _ZONE.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:
        raise out_of_range() from None


TIMESTAMP_PARTS: dict[str, Callable[[datetime], int]] = {
    "getFullYear": lambda moment: moment.year,
    "getMonth": lambda moment: moment.month - 1,
    "getDate": lambda moment: moment.day,
    "getDayOfMonth": lambda moment: moment.day - 1,
    "getDayOfWeek": lambda moment: moment.isoweekday() % 7,
    "getDayOfYear": lambda moment: moment.timetuple().tm_yday - 1,
    "getHours": lambda moment: moment.hour,
    "getMinutes": lambda moment: moment.minute,
    "getSeconds": lambda moment: moment.second,
    "getMilliseconds": lambda moment: moment.microsecond // 1000,
}

DURATION_PARTS: dict[str, Callable[[timedelta], int]] = {
    "getHours": lambda length: _whole(length, timedelta(hours=1)),
    "getMinutes": lambda length: _whole(length, timedelta(minutes=1)),
    "getSeconds": lambda length: _whole(length, _SECOND),
    "getMilliseconds": lambda length: _whole(length, timedelta(milliseconds=1)) - _whole(length, _SECOND) * 1000,
}


def _whole(length: timedelta, unit: timedelta) -> int:
    count = abs(length) // unit
    return -count if length < timedelta(0) else count


def _not_a_timestamp(text: str) -> EvaluationError:
    return EvaluationError(
        f"«{shown(text)}» no es una fecha como «2026-01-31T09:00:00Z».",
        f"“{shown(text)}” is not a timestamp such as “2026-01-31T09:00:00Z”.",
    )


def _not_a_date(text: str) -> EvaluationError:
    return EvaluationError(
        f"«{shown(text)}» no es una fecha como «2026-01-31».", f"“{shown(text)}” is not a date such as “2026-01-31”."
    )


def out_of_range() -> EvaluationError:
    return EvaluationError(
        "La fecha o la duración salen del rango admitido (años 1 a 9999).",
        "The timestamp or duration is out of range (years 1 to 9999).",
    )
