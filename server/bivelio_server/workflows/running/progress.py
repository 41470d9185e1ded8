"""What a step is given of its run."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any

from bivelio_server.kit.context import Context, Services
from bivelio_server.workflows.definition import Step
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.side_by_side import Job, Outcome
from bivelio_server.workflows.running.state import RunState, StepState


class Progress(ABC):
    """A run on its way. `effect_of` is the path of the step whose effect the open transaction holds.

    All of a step's code has the run's turn: no other branch does anything meanwhile, but while it is `away`.
    """

    state: RunState
    effect_of: str | None

    @property
    @abstractmethod
    def services(self) -> Services: ...

    @abstractmethod
    def now(self) -> datetime: ...

    @abstractmethod
    async def variables(self, template: Any, path: str, scope: Scope) -> dict[str, Any]:
        """What the expressions of a template see. Raises ExpressionError."""

    @abstractmethod
    async def render(self, value: Any, path: str, scope: Scope) -> Any:
        """The value with its expressions evaluated; `path` names it in errors. Raises ExpressionError."""

    @abstractmethod
    async def is_true(self, condition: str, path: str, scope: Scope) -> bool:
        """Raises ExpressionError, Impossible when it gives neither true nor false."""

    @abstractmethod
    async def context(self) -> Context:
        """The open transaction."""

    @abstractmethod
    async def acting_context(self, *, begins: bool = False) -> Context:
        """A transaction for an effect of its own, with the workflow's present rights.

        For a step that `begins` there is none while the run is paused. Raises Asleep.
        """

    @abstractmethod
    def complete(self, state: StepState, output: Any) -> None:
        """The step is done; it is recorded with the next commit."""

    @abstractmethod
    def save(self, state: StepState) -> None:
        """The step has changed; it is recorded with the next commit."""

    @abstractmethod
    async def commit(self) -> None:
        """Save and commit what the open transaction holds."""

    @abstractmethod
    async def undo(self, state: StepState, error: Exception) -> None:
        """Take back the step's effect, if the open transaction holds it, because of `error`."""

    @abstractmethod
    def away(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        """For a call to the outside: commits, and lets other branches take their turns. Raises TimedOut."""

    @abstractmethod
    async def sleep(self, state: StepState, until: datetime | None, scope: Scope, status: str = "waiting") -> None:
        """Nothing to do until then, or until woken. Always raises: Asleep, or TimedOut.

        What has changed of the step besides its status must be saved: of a thousand steps that sleep on, none is
        written anew whenever the run looks at them.

        What is waited for must have been looked at in the transaction that is open: whoever brings it about waits for
        that one to end before waking the run.
        """

    @abstractmethod
    async def walk(self, steps: Sequence[Step], scope: Scope) -> Any:
        """Take the steps one after another; the output of the last."""

    @abstractmethod
    async def side_by_side(
        self, jobs: Sequence[Job], *, places: int, is_enough: Callable[[Outcome], bool]
    ) -> list[Outcome | None]:
        """See running.side_by_side."""

    @abstractmethod
    async def abandon(self, steps: Sequence[Step], scope: Scope) -> None:
        """Cancel what is open of these steps and of whatever lies within them."""
