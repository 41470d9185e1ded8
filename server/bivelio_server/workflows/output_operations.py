"""The large inputs and outputs of runs, one at a time."""

from typing import Final

from bivelio_server.kit import json
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.storage import FileMissing
from bivelio_server.kit.text import Text
from bivelio_server.workflows import queries
from bivelio_server.workflows.outputs import whole
from bivelio_server.workflows.schemas import OutputReference, OutputView

feature: Final = Feature("workflows")


@feature.operation(
    "get_output", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene entera la entrada o salida de una ejecución", "Get the whole input or output of a run"),
)  # fmt: skip
async def get_output(context: Context, data: OutputReference) -> OutputView:
    row = await queries.get_instance(context, data.instance_id)
    if data.path is not None:
        row = await queries.get_step(context, data.instance_id, data.path)
    try:
        value = await whole(context.services, row, data.what)
    except FileMissing:
        raise NotFound("what") from None
    return OutputView(value=value, bytes=len(json.dumps(value)))
