"""Figures of the executions of agents."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import Counter, Histogram

from bivelio_server.agents.outcome import Outcome
from bivelio_server.kit.errors import IntegrationFailed

EXECUTIONS: Final = Counter(
    "bivelio_agent_executions_total",
    "Executions of agents by outcome: `completed`, `waiting_approval`, `failed` for now, `refused` (its limits, or the"
    " provider for good), `interrupted` at our end.",
    ["outcome"],
)
SECONDS: Final = Histogram(
    "bivelio_agent_execution_seconds",
    "Duration of executions of agents, with their model's answers and their tools, by outcome.",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100),
)


@contextmanager
def measured(outcome: Outcome) -> Iterator[None]:
    """Count and time an execution by what it comes to."""
    came_to, began = "interrupted", time.monotonic()
    try:
        yield
        came_to = outcome.status
    except IntegrationFailed as error:
        came_to = "failed" if error.retryable else "refused"
        raise
    finally:
        EXECUTIONS.labels(came_to).inc()
        SECONDS.labels(came_to).observe(time.monotonic() - began)
