"""Files in boxes, put there as the operations do, and what is kept of them."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

import numpy as np

from bivelio_server.boxes.models import Box, BoxFile
from bivelio_server.boxes.retrieval.segments import Segment, Stored, loaded
from bivelio_server.boxes.tasks import INGEST_TASK
from bivelio_server.durable import cancel, spawn
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.rows import identity
from bivelio_server.kit.storage import StorageKey
from tests.world import Organization

ENDED = ("ready", "failed")


@dataclass
class Ingesting:
    """A box of an organisation, as whoever works on the database beside the server sees it."""

    organization: Organization
    services: Services
    box_id: str = field(default_factory=lambda: new_id("box"))

    @property
    def caller(self) -> Caller:
        return Caller(self.organization.id, Environment.live, "user:test", UUID(int=0), frozenset())

    async def create(self) -> "Ingesting":
        now = self.services.clock.now()
        async with self.services.database.transaction(self.caller) as session:
            session.add(
                Box(
                    **identity(self.caller), id=self.box_id, name="Manuales", description=None, created_by="test",
                    version=1, created_at=now, updated_at=now, deleted_at=None,
                )
            )  # fmt: skip
        return self

    async def add(self, content: str | bytes, name: str = "manual.txt") -> str:
        """The id of a file that waits to be made searchable."""
        stored, now, file_id = await self._stored(content), self.services.clock.now(), new_id("file")
        async with self.services.database.transaction(self.caller) as session:
            row = BoxFile(
                **identity(self.caller), id=file_id, box_id=self.box_id, document_id=None, file_name=name,
                mime_type="text/plain", state="pending", progress=0.0, error=None, revision=1, ready_revision=None,
                seq=None, page_count=None, chunk_count=None, created_by="test", version=1, created_at=now,
                updated_at=now, ready_at=None, deleted_at=None, **stored,
            )  # fmt: skip
            session.add(row)
            row.task_id = await spawn(self._context(session), INGEST_TASK, {"file_id": file_id})
        self.services.wakeups.wake("work")
        return file_id

    async def replace(self, file_id: str, content: str | bytes) -> None:
        stored = await self._stored(content)
        async with self.services.database.transaction(self.caller) as session:
            context = self._context(session)
            await self._stop(context, file_id)
            row = await session.get(BoxFile, (*identity(self.caller).values(), file_id), with_for_update=True)
            assert row is not None
            for name, value in stored.items():
                setattr(row, name, value)
            row.state, row.progress, row.revision = "pending", 0.0, row.revision + 1
            row.task_id = await spawn(context, INGEST_TASK, {"file_id": file_id})
        self.services.wakeups.wake("work")

    async def delete(self, file_id: str, *, cancelled: bool = True) -> None:
        async with self.services.database.transaction(self.caller) as session:
            context = self._context(session)
            if cancelled:
                await self._stop(context, file_id)
            row = await session.get(BoxFile, (*identity(self.caller).values(), file_id), with_for_update=True)
            assert row is not None
            row.deleted_at = context.now

    async def ended(self, file_id: str, state: str = "ready", seconds: float = 20) -> dict[str, Any]:
        """The file's row once nothing more is done with it, which must be in that state."""
        deadline = time.monotonic() + seconds
        while (row := self.file(file_id))["state"] not in ENDED:
            assert time.monotonic() < deadline, row
            await asyncio.sleep(0.02)
        assert row["state"] == state, row
        return row

    def file(self, file_id: str) -> dict[str, Any]:
        [row] = self.rows("select to_jsonb(f) - 'file' from box_files f where id = %s", file_id)
        return dict(row[0])

    def index(self) -> dict[str, Any]:
        [row] = self.rows("select to_jsonb(i) from box_indexes i where box_id = %s", self.box_id)
        return dict(row[0])

    def pages(self, file_id: str) -> list[str]:
        return [text for (text,) in self.rows("select text from box_pages where file_id = %s order by number", file_id)]

    def chunks(self, file_id: str) -> list[dict[str, Any]]:
        rows = self.rows("select to_jsonb(c) from box_chunks c where file_id = %s order by revision, n", file_id)
        return [dict(row[0]) for row in rows]

    def segments(self, file_id: str) -> dict[tuple[int, int], Segment]:
        """By generation and number."""
        rows = self.rows(
            "select generation, seq, chunks, vectors, terms from box_segments where file_id = %s order by 1, 2", file_id
        )
        return {(generation, seq): loaded(Stored(*stored)) for generation, seq, *stored in rows}

    def vectors(self, model: str) -> dict[bytes, Any]:
        rows = self.rows(
            "select digest, vector from box_vectors where org_id = %s and model = %s", self.organization.id, model
        )
        return {digest: np.frombuffer(vector, "<f2").astype(np.float32) for digest, vector in rows}

    def rows(self, query: str, *values: object) -> list[Any]:
        return self.organization.world.database.execute(query, values).fetchall()

    def traces(self, file_id: str) -> dict[str, int]:
        """How many rows are kept of the file's contents."""
        return {
            table: self.rows(f"select count(*) from {table} where file_id = %s", file_id)[0][0]
            for table in ("box_pages", "box_chunks", "box_segments")
        }

    async def _stop(self, context: Context, file_id: str) -> None:
        [(task_id,)] = self.rows("select task_id from box_files where id = %s", file_id)
        await cancel(context, task_id)

    async def _stored(self, content: str | bytes) -> dict[str, Any]:
        written = content.encode() if isinstance(content, str) else content
        key = StorageKey.of(self.organization.id, "live", "boxes", new_id("up"))
        file = await self.services.storage.put(key, written)
        return {"file": file.as_json(), "bytes": len(written), "sha256": sha256(written).hexdigest()}

    def _context(self, session: Any) -> Context:
        return Context(self.caller, session, self.services, Origin(Door.http))


def paragraphs(numbers: Sequence[int], words: int = 130) -> str:
    """One chunk's worth of words for each number, all different."""
    return "\n\n".join(" ".join(f"palabra{number}x{place}" for place in range(words // 2)) + "." for number in numbers)
