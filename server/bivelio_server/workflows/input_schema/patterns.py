"""Patterns by an engine that takes time linear in the text, whatever the pattern."""

from functools import lru_cache
from typing import NamedTuple, Protocol, cast

import re2

from bivelio_server.workflows.input_schema.limits import (
    MAX_PATTERN,
    PATTERN_MEMORY,
    PATTERN_WORK_PER_STEP,
    Budget,
)


class _Program(Protocol):
    programsize: int

    def search(self, text: bytes) -> object | None: ...


class Pattern(NamedTuple):
    source: str
    program: _Program

    def is_in(self, text: str, budget: Budget) -> bool:
        encoded = text.encode()
        budget.spend(1 + self.program.programsize * len(encoded) // PATTERN_WORK_PER_STEP)
        return self.program.search(encoded) is not None


@lru_cache(maxsize=256)
def compiled(source: str) -> Pattern | None:
    """None when it is no RE2 pattern, or too large."""
    if len(source) > MAX_PATTERN:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = PATTERN_MEMORY
    try:
        return Pattern(source, cast("_Program", re2.compile(source.encode(), options)))
    except re2.error:
        return None
