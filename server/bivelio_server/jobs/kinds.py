"""What a feature says about its long work, and what one batch of it is given."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from bivelio_server.jobs import queries
from bivelio_server.kit.context import Context
from bivelio_server.kit.text import Text

MAX_ERRORS: Final = 1000


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with a row of the input, counted from 1 as a spreadsheet shows it."""

    row: int | None
    field: str | None
    code: str
    text: Text


@dataclass(slots=True)
class Batch:
    """One step of a job, in a transaction of its own: what it writes and where the job stands commit together.

    `cursor` and `counts` are what the batch before left (at first: empty, and what `start` was given); change them in
    place. Set `progress`; call `finish` in the last batch.
    """

    context: Context
    job_id: str
    params: dict[str, Any]
    cursor: dict[str, Any]
    counts: dict[str, int]
    progress: float
    errors_count: int
    problems: list[RowProblem] = field(default_factory=list)
    result: dict[str, Any] | None = None
    finished: bool = False

    def count(self, name: str, number: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + number

    def refuse(self, *problems: RowProblem) -> None:
        """Keep problems of rows: the first MAX_ERRORS of the job are stored, all are counted."""
        room = max(0, MAX_ERRORS - self.errors_count - len(self.problems))
        self.problems += problems[:room]
        self.count("errors", len(problems))

    def finish(self, result: dict[str, Any] | None = None) -> None:
        self.finished, self.result, self.progress = True, result, 1.0

    async def input_piece(self, number: int) -> bytes | None:
        """A piece of what `start` was given."""
        found = await queries.pieces(self.context, self.job_id, "input", [number])
        return found[0] if found else None

    async def make_output(self, *, name: str, media_type: str) -> str:
        """The file that the job makes; its id. A file whose id is in the result under `file_id` can be downloaded."""
        return await queries.make_file(self.context, self.job_id, "output", name=name, media_type=media_type)

    async def write_output(self, number: int, content: bytes) -> None:
        """The next piece of the output, counted from 0."""
        await queries.add_pieces(self.context, self.job_id, "output", number, [content])

    async def read_output(self, numbers: Sequence[int]) -> Sequence[bytes]:
        """Pieces that were written, in order."""
        return await queries.pieces(self.context, self.job_id, "output", numbers)


RunBatch: TypeAlias = Callable[[Batch], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """The long work behind the operation of this name.

    `run_batch` does the next small part: a second of work at most, as other work waits for it and a crash repeats it.
    """

    operation: str
    run_batch: RunBatch
