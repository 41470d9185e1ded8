"""Whether a schedule is one, when its workflow is saved."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.text import Text
from bivelio_server.organization.settings import known_timezones
from bivelio_server.workflows.definition import CronTrigger
from bivelio_server.workflows.triggers.schedule import NoSchedule, Schedule

#: From here on every date that a schedule can name comes within the years that are looked at.
_SOME_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)


def schedule_problems(trigger: CronTrigger) -> Iterator[Problem]:
    if trigger.timezone is not None and trigger.timezone not in known_timezones():
        yield Problem("trigger.timezone", "timezone", _NO_ZONE)
    try:
        is_ever_due = Schedule(trigger.cron, ZoneInfo("UTC")).after(_SOME_DAY) is not None
    except NoSchedule as error:
        yield Problem("trigger.cron", "cron", _NO_CRON if error.field is None else _WRONG_FIELD[error.field])
    else:
        if not is_ever_due:
            yield Problem("trigger.cron", "cron", _NEVER)


_NO_ZONE: Final = Text(
    "'trigger.timezone' debe ser una zona horaria de IANA (como Europe/Madrid).",
    "'trigger.timezone' must be an IANA time zone (such as Europe/Madrid).",
)
_NO_CRON: Final = Text(
    "'trigger.cron' debe tener cinco campos: minuto, hora, día del mes, mes y día de la semana (como 0 9 * * 1-5).",
    "'trigger.cron' must have five fields: minute, hour, day of the month, month and day of the week"
    " (such as 0 9 * * 1-5).",
)
_NEVER: Final = Text("'trigger.cron' no se cumple nunca.", "'trigger.cron' is never due.")
_WRONG_FIELD: Final = [
    Text(
        f"El campo {es} de 'trigger.cron' no es válido: {values_es}.",
        f"The field of the {en} in 'trigger.cron' is not valid: {values_en}.",
    )
    for es, en, values_es, values_en in (
        ("del minuto", "minute", "de 0 a 59", "0 to 59"),
        ("de la hora", "hour", "de 0 a 23", "0 to 23"),
        (
            "del día del mes", "day of the month",
            "de 1 a 31, o L para el último, y que lo haya en esos meses",
            "1 to 31, or L for the last one, and there must be one in these months",
        ),
        ("del mes", "month", "de 1 a 12, o de JAN a DEC", "1 to 12, or JAN to DEC"),
        ("del día de la semana", "day of the week", "de 0 a 7, o de SUN a SAT", "0 to 7, or SUN to SAT"),
    )
]  # fmt: skip
