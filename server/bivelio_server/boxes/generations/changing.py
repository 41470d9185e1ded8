"""Beginning to change the model of a box, and giving it up."""

from bivelio_server.boxes.generations import queries
from bivelio_server.boxes.ingestion.queries import Generation, Index, lock_index
from bivelio_server.boxes.tasks import REEMBED_TASK
from bivelio_server.durable import spawn
from bivelio_server.kit.context import Context


async def follow(context: Context, box_id: str, model: str) -> Index:
    """The box's index, on its way to the configured model if it was not there."""
    index = await lock_index(context, box_id, model)
    target = index.generations[-1]
    if target.model == model:
        return index
    present = index.generations[0]
    following = None if present.model == model else Generation(target.number + 1, model)
    await queries.set_next(context, box_id, following)
    if following is None:
        return Index(index.version, (present,))
    await spawn(context, REEMBED_TASK, {"box_id": box_id})
    return Index(index.version, (present, following))
