"""What an examination finds: one thing each, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    ok = "ok"
    warning = "warning"
    error = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is empty when all is well."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def line(self) -> str:
        remedy = f" -> {self.remedy}" if self.remedy else ""
        return f"{self.level.value:<8}{self.check:<18}{self.what}{remedy}"


def ok(check: str, what: str) -> Finding:
    return Finding(check, Level.ok, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, Level.warning, what, remedy)


def error(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, Level.error, what, remedy)
