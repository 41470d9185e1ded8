"""`while`: the steps again as long as a condition holds, up to a hard bound."""

from typing import Final

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import WhileStep
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState


async def perform(progress: Progress, step: WhileStep, state: StepState, scope: Scope) -> None:
    """`prepared` tells how many passes were begun; all but the last of them are done."""
    if state.prepared is None:
        state.attempts, state.input, state.prepared = state.attempts + 1, {"while": step.while_}, {"begun": 0}
        progress.save(state)
    output, begun = None, state.prepared["begun"]
    if begun:
        output = await progress.walk(step.steps, _pass(step, begun - 1, scope))
    while await progress.is_true(step.while_, "while", _pass(step, begun, scope)):
        if begun == step.max:
            raise Impossible(Problem("while", "maximum", _TOO_OFTEN.format(max=step.max)))
        begun += 1
        state.prepared = {"begun": begun}
        progress.save(state)
        output = await progress.walk(step.steps, _pass(step, begun - 1, scope))
    progress.complete(state, {"iterations": begun, "output": output})


def _pass(step: WhileStep, index: int, scope: Scope) -> Scope:
    return scope.turn(step.id, index, after=index - 1 if index else None)


_TOO_OFTEN: Final = Text(
    "La condición de 'while' sigue siendo cierta después de {max} vueltas.",
    "The condition of 'while' is still true after {max} passes.",
)
