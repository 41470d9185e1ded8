"""Figures of the models of language, whoever runs them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Histogram

from bivelio_server.ai.port import Usage
from bivelio_server.kit.errors import IntegrationFailed

CALLS: Final = Counter(
    "bivelio_ai_calls_total",
    "Calls to models of language by engine, model and outcome: `answered`, `failed` for now or `refused`.",
    ["engine", "model", "outcome"],
)
SECONDS: Final = Histogram(
    "bivelio_ai_call_seconds",
    "Duration of calls to models of language, whatever was tried again, by engine and model.",
    ["engine", "model"],
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180),
)
TOKENS: Final = Counter(
    "bivelio_ai_tokens_total",
    "Tokens of models of language by engine, model and kind: `prompt`, and of these `cached`; `output`, and of these"
    " `thought`.",
    ["engine", "model", "kind"],
)


@dataclass(slots=True)
class Measured:
    """One call, and what came of it."""

    outcome: str = "failed"
    usage: Usage = Usage()  # noqa: RUF009 - frozen

    def answered(self, usage: Usage) -> None:
        self.outcome, self.usage = "answered", usage


#: The `model` of the figures where somebody has named one: labels have few values, whatever people write.
NAMED: Final = "named"


@contextmanager
def measured(engine: str, model: str, *, is_named: bool = False) -> Iterator[Measured]:
    """Count and time one call; `failed` unless it is told what was answered. An error learns which model it is of.

    `is_named`: the model is not the one configured, but was asked for by its name.
    """
    call, began, label = Measured(), time.monotonic(), NAMED if is_named else model
    try:
        yield call
    except IntegrationFailed as error:
        call.outcome = "failed" if error.retryable else "refused"
        error.details.update(engine=engine, model=model)
        raise
    finally:
        CALLS.labels(engine, label, call.outcome).inc()
        SECONDS.labels(engine, label).observe(time.monotonic() - began)
        for kind in ("prompt", "output", "cached", "thought"):
            TOKENS.labels(engine, label, kind).inc(getattr(call.usage, kind))
