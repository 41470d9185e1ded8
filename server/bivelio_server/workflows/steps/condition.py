"""`if`: which branch the run takes."""

from typing import Final

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import IfStep
from bivelio_server.workflows.state import StepState
from bivelio_server.workflows.steps.progress import Progress
from bivelio_server.workflows.steps.pure import rendered


def perform(progress: Progress, step: IfStep, state: StepState) -> None:
    answer = rendered(progress, step.if_, "if")
    if not isinstance(answer, bool):
        raise Impossible(Problem("if", "boolean", _NOT_A_CONDITION))
    state.attempts, state.input = state.attempts + 1, {"if": step.if_}
    progress.complete(state, {"branch": "then" if answer else "else"})


_NOT_A_CONDITION: Final = Text("La condición debe dar true o false.", "The condition must give true or false.")
