"""What the child was asked for, and how it says that it cannot."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, NoReturn, TypeAlias

from bivelio_server.kit.media_types import extension_of
from bivelio_server.reading.port import Limits
from bivelio_server.reading.wire import Progress

Ocr: TypeAlias = Literal["small", "light", "off"]
#: Characters of text in one reading: some two thousand full pages.
MAX_CHARACTERS: Final = 5_000_000


class Refused(Exception):
    """A constraint of `refusals.REFUSALS`, and what its sentence needs."""

    def __init__(self, constraint: str, **values: object) -> None:
        super().__init__(constraint)
        self.constraint = constraint
        self.values = values


def refuse(constraint: str, **values: object) -> NoReturn:
    raise Refused(constraint, **values)


@dataclass(frozen=True, slots=True)
class Task:
    content: bytes
    filename: str | None
    limits: Limits
    ocr: Ocr
    tell: Callable[[Progress], None]

    @property
    def extension(self) -> str:
        return extension_of(self.filename or "")


def check_text(characters: int) -> None:
    if characters > MAX_CHARACTERS:
        refuse("max_text")
