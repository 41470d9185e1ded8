"""How much a schema may be, and what a check may cost. Measured: whatever is allowed takes under 100 ms."""

from typing import Final

from bivelio_server.kit.text import Text

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES: Final = 32 * 1024
MAX_SUBSCHEMAS: Final = 500
MAX_DEPTH: Final = 20
MAX_NAME: Final = 200
MAX_WORDS: Final = 4000

MAX_STEPS: Final = 50_000
#: Of subschemas within one another, while an input is checked.
MAX_APPLIED: Final = 100
CHARACTERS_PER_STEP: Final = 128
TRIAL_STEPS: Final = 10  # for finding out whether a value fits, on top of what that takes
VALUE_STEPS: Final = 3  # for each value that is compared as a whole
PATTERN_STEPS: Final = 5  # for asking a pattern, on top of its work

MAX_PATTERN: Final = 500
MAX_PATTERNS: Final = 50
#: What RE2 may use for a program and its states, in bytes, and what its slowest engine does in a step.
PATTERN_MEMORY: Final = 65_536
PATTERN_WORK_PER_STEP: Final = 24


class TooMuch(Exception):
    """The check of an input would take too long."""

    text: Final = Text(
        "Comprobar el campo '{field}' con su esquema cuesta demasiado; simplifica el esquema o envía menos datos.",
        "Checking the field '{field}' against its schema takes too much; simplify the schema or send less.",
    )


class Budget:
    """What is left of the steps of one check. Raises TooMuch."""

    __slots__ = ("applied", "steps")

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.steps = steps
        self.applied = 0

    def spend(self, steps: int) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise TooMuch

    def scan(self, characters: int) -> None:
        self.spend(1 + characters // CHARACTERS_PER_STEP)
