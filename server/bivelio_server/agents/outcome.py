"""What an execution comes to, and what is noted on the way."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bivelio_server.agents.masking import hidden
from bivelio_server.ai.port import Usage
from bivelio_server.kit import json
from bivelio_server.kit.clock import Clock


@dataclass(frozen=True, slots=True)
class Asked:
    """An irreversible operation that the model asks for."""

    operation: str
    arguments: dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """`output` is what the agent answers; while something waits for approval, what it has said so far."""

    status: Literal["running", "waiting_approval", "completed"] = "running"
    output: Any = None
    engine: str | None = None
    model: str | None = None
    usage: Usage = Usage()  # noqa: RUF009 - frozen
    #: How often a model has answered.
    answers: int = 0
    duration_ms: int = 0
    asked: list[Asked] = field(default_factory=list)
    trace: list[dict[str, Any]] = field(default_factory=list)

    def note(self, clock: Clock, kind: str, detail: Mapping[str, Any], *, since: float | None = None) -> None:
        """Add to the trace, with secrets masked; `since` is when it began, by `time.monotonic`."""
        lasted = None if since is None else milliseconds_since(since)
        self.trace.append(entry(clock, kind, detail, lasted))


def entry(clock: Clock, kind: str, detail: Mapping[str, Any], duration_ms: int | None) -> dict[str, Any]:
    """As the trace keeps it."""
    shown = json.loads_trusted(json.dumps(hidden(dict(detail))))
    return {"kind": kind, "at": clock.now().isoformat(), "duration_ms": duration_ms, "detail": shown}


def milliseconds_since(since: float) -> int:
    return max(0, round((time.monotonic() - since) * 1000))
