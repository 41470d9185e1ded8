"""What a step is given of its run, and the ways in which it can stop it."""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import Any

from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import APIError, ValidationFailed
from bivelio_server.kit.tracing import EndsEarly
from bivelio_server.workflows.expressions import ExpressionError
from bivelio_server.workflows.problems import expression_problem
from bivelio_server.workflows.state import RunState, StepState


class Asleep(EndsEarly):
    """The run was given back; its task is called again when it is due."""


class StepFailed(Exception):
    """The run ends here, for the reason in `error`."""

    def __init__(self, step: StepState | None, error: APIError) -> None:
        super().__init__(str(error))
        self.step = step
        self.error = error


class Progress(ABC):
    """A run on its way. `effect_of` names the step whose effect the open transaction holds."""

    state: RunState
    effect_of: str | None

    @property
    @abstractmethod
    def services(self) -> Services: ...

    @abstractmethod
    def variables(self) -> dict[str, Any]:
        """What expressions may name."""

    @abstractmethod
    async def context(self) -> Context:
        """The open transaction."""

    @abstractmethod
    async def acting_context(self) -> Context:
        """A transaction for an effect of its own, with the workflow's present rights."""

    @abstractmethod
    def complete(self, step: StepState, output: Any) -> None:
        """The step is done; it is recorded with the next commit."""

    @abstractmethod
    def save(self, step: StepState) -> None:
        """The step has changed; it is recorded with the next commit."""

    @abstractmethod
    async def commit(self) -> None:
        """Save and commit what the open transaction holds."""

    @abstractmethod
    async def sleep(self, step: StepState, until: datetime) -> None:
        """Give the run back until then. Raises Asleep."""


def expression_failed(error: ExpressionError) -> ValidationFailed:
    return ValidationFailed(expression_problem(error, error.path or "expression"))
