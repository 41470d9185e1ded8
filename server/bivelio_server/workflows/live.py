"""Runs as they go on."""

from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.streaming import Streaming
from bivelio_server.kit.text import Text
from bivelio_server.workflows import queries
from bivelio_server.workflows.schemas import InstanceProgress, InstanceReference, InstanceView, StepView
from bivelio_server.workflows.watching import Watch

feature: Final = Feature("workflows")


@feature.operation(
    "watch_instance", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    stream=Streaming(
        {"snapshot": InstanceView, "step": StepView, "status": InstanceProgress, "end": InstanceView}
    ),
    doors=DIRECT_DOORS, doors_reason="it answers with a stream, which only a client can follow",
    summary=Text("Sigue una ejecución en directo hasta que acaba", "Follow a run as it goes on, until it ends"),
)  # fmt: skip
async def watch_instance(context: Context, data: InstanceReference) -> InstanceProgress:
    progress = await queries.get_progress(context, data.instance_id)
    context.stream_after_commit(Watch(context, progress.instance_id).events)
    return progress
