"""A file that is being made searchable, as the durable task sees it: it may be deleted or replaced at any moment."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from bivelio_server.ai.port import AI, LANGUAGE
from bivelio_server.boxes.ingestion import queries
from bivelio_server.boxes.models import BoxFile
from bivelio_server.boxes.tasks import DEPTH
from bivelio_server.durable import Run
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Cause, Context, Services
from bivelio_server.kit.origin import Door, Origin

#: As the audit log names what made a file searchable, or failed to.
ADD_OPERATION: Final = "boxes.add_file"
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Content:
    """One revision of a file, cut into chunks, and who embeds it."""

    services: Services
    caller: Caller
    ai: AI
    file_id: str
    file_name: str
    revision: int


@dataclass(frozen=True, slots=True)
class Work:
    """The content that a run was begun with; `is_cut`: its chunks are there already."""

    run: Run
    content: Content
    file: dict[str, Any]
    is_cut: bool

    async def keep(self, keeping: Callable[[Context, BoxFile], Awaitable[None]]) -> bool:
        """Commit what brings the file further; false, and nothing of it is left, where it is gone meanwhile."""
        return await while_there(self.run, self.content.revision, keeping)


async def while_there(run: Run, revision: int | None, doing: Callable[[Context, BoxFile], Awaitable[None]]) -> bool:
    """Do something with the file, locked, in a transaction that commits only while the run is ours.

    False where it is gone, or has another content than `revision`: what was kept of that goes, and the task ends.
    """
    caller = caller_of(run)
    async with run.transaction() as session:
        found = await queries.find_locked(session, caller, run.params["file_id"])
        cause = Cause(f"box_file:{run.params['file_id']}", int(run.params.get(DEPTH, 0)))
        context = Context(caller, session, run.services, Origin(Door.http), cause)
        row, is_there = found or (None, False)
        if row is None or not is_there or not _is_ours(run, row, revision):
            if row is not None:
                await _leave(context, row, revision, is_there=is_there)
            await run.finish(session)
            return False
        await doing(context, row)
        await session.flush_changes()
    for topic in context.topics:
        run.services.wakeups.wake(topic)
    return True


def caller_of(run: Run) -> Caller:
    return system_caller(run.org_id, run.environment)


def system_caller(org_id: UUID, environment: Environment) -> Caller:
    return Caller(org_id, environment, "system:boxes", _NOBODY, frozenset())


def model_of(run: Run) -> AI:
    ai = run.services.providers.of(LANGUAGE, run.services, caller_of(run))
    assert ai is not None, "there is always one: the server carries it"
    return ai


def _is_ours(run: Run, row: BoxFile, revision: int | None) -> bool:
    """A later task has taken the file over, or an earlier one has done it."""
    if row.task_id not in (None, run.task_id) or row.state not in ("pending", "processing"):
        return False
    return revision in (None, row.revision)


async def _leave(context: Context, row: BoxFile, revision: int | None, *, is_there: bool) -> None:
    """A file that comes back from the bin is begun anew; the present content is whoever's has it now."""
    revision = row.revision if revision is None else revision
    if revision != row.ready_revision and (not is_there or revision != row.revision):
        await queries.remove_content(context, row, revision)
    if not is_there and row.state == "processing":
        row.state, row.progress = "pending", 0.0
        await context.session.flush()
