"""Patterns by an engine that takes time linear in the text, whatever the pattern."""

from functools import lru_cache
from typing import Protocol, cast

import re2

from bivelio_server.kit.json_schema.limits import (
    MAX_PATTERN,
    PATTERN_MEMORY,
    PATTERN_STEPS,
    PATTERN_WORK_PER_STEP,
    Budget,
)


class _Program(Protocol):
    programsize: int

    def search(self, text: bytes) -> object | None: ...


def is_pattern(source: str) -> bool:
    """Whether it is an RE2 pattern of moderate size."""
    return len(source) <= MAX_PATTERN and _compiled(source) is not None


def is_found(source: str, text: str, budget: Budget) -> bool:
    """Whether the pattern fits somewhere in the text."""
    program, encoded = _compiled(source), text.encode()
    if program is None:
        return False
    budget.spend(PATTERN_STEPS + program.programsize * len(encoded) // PATTERN_WORK_PER_STEP)
    return program.search(encoded) is not None


# Few are kept: each may take PATTERN_MEMORY.
@lru_cache(maxsize=256)
def _compiled(source: str) -> _Program | None:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        return cast("_Program", re2.compile(source.encode(), options))
    except (re2.error, UnicodeEncodeError):
        return None
