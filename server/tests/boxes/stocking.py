"""Boxes with files that are ready to be searched, put into the database past ingestion; with vectors of their own."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg

from bivelio_server.ai.port import Embedded, NoSuchModel
from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.segments import stored
from bivelio_server.kit.ids import new_id
from tests.scripted import Scripted
from tests.world import Organization

MODEL = "words"
DIMENSION = 32


def vector_of(text: str) -> list[float]:
    """A direction of its own for each first word: texts that begin with the same one mean the same."""
    seed = int.from_bytes(hashlib.sha256(text.split(maxsplit=1)[0].lower().encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).normal(size=DIMENSION)
    found: list[float] = (drawn / np.linalg.norm(drawn)).tolist()
    return found


@dataclass
class WordsModel(Scripted):
    """A model of language that embeds as `vector_of` does; `questions` is what it was asked, with the model."""

    embedding_model: str = MODEL
    questions: list[tuple[str, str]] = field(default_factory=list)

    async def embed(self, texts: Sequence[str], kind: Any, model: str | None = None) -> Embedded:
        model = model or self.embedding_model
        if model not in {self.embedding_model, *self.former_models}:
            raise NoSuchModel
        self.questions += [(model, text) for text in texts]
        return Embedded([vector_of(text) for text in texts], self.engine, model)


@dataclass(frozen=True)
class Chunk:
    text: str
    page: int = 1
    offset: int | None = None


@dataclass(frozen=True)
class Stock:
    """A box of one organisation and environment."""

    database: psycopg.Connection
    org_id: UUID
    environment: str
    id: str

    def member(self, user_id: UUID, role: str = "viewer") -> None:
        self.run(
            "insert into box_members values (%(org_id)s, %(environment)s, %(box_id)s, %(user_id)s, %(role)s, now())"
            " on conflict (org_id, environment, box_id, user_id) do update set role = excluded.role",
            user_id=user_id, role=role,
        )  # fmt: skip

    def remove_member(self, user_id: UUID) -> None:
        self.run("delete from box_members where box_id = %(box_id)s and user_id = %(user_id)s", user_id=user_id)

    def add(self, name: str, *chunks: Chunk | str, file_id: str | None = None) -> str:
        """The id of a file whose chunks these are, or of `file_id` with these from now on."""
        with self.database.transaction():
            seq = self._next()
            if file_id is None:
                file_id = new_id("file")
                self._insert_file(file_id, name)
            [(revision,)] = self.run(
                "update box_files set revision = revision + 1, ready_revision = revision + 1, seq = %(seq)s,"
                " state = 'ready' where id = %(file_id)s returning ready_revision",
                file_id=file_id, seq=seq,
            )  # fmt: skip
            for table in ("box_segments", "box_chunks", "box_pages"):
                self.run(f"delete from {table} where file_id = %(file_id)s", file_id=file_id)
            self._insert_content(file_id, revision, seq, [_chunk(each) for each in chunks])
        return file_id

    def delete(self, file_id: str) -> None:
        with self.database.transaction():
            self._next()
            self.run("update box_files set deleted_at = now() where id = %(file_id)s", file_id=file_id)

    def restore(self, file_id: str) -> None:
        with self.database.transaction():
            self._next()
            self.run("update box_files set deleted_at = null where id = %(file_id)s", file_id=file_id)

    def run(self, statement: str, **values: Any) -> list[Any]:
        named = {"org_id": self.org_id, "environment": self.environment, "box_id": self.id, **values}
        cursor = self.database.execute(statement, named)
        return cursor.fetchall() if cursor.description else []

    def _next(self) -> int:
        [(version,)] = self.run(
            "update box_indexes set version = version + 1 where box_id = %(box_id)s returning version"
        )
        return int(version)

    def _insert_file(self, file_id: str, name: str) -> None:
        self.run(
            "insert into box_files (org_id, environment, id, box_id, file_name, mime_type, bytes, sha256, file, state,"
            " progress, revision, created_by, version, created_at, updated_at) values (%(org_id)s, %(environment)s,"
            " %(file_id)s, %(box_id)s, %(name)s, 'text/plain', 1, '', '{}', 'ready', 1, 0, 'test', 1, now(), now())",
            file_id=file_id, name=name,
        )  # fmt: skip

    def _insert_content(self, file_id: str, revision: int, seq: int, chunks: Sequence[Chunk]) -> None:
        values: dict[str, Any] = {"file_id": file_id, "revision": revision, "seq": seq}
        pages: dict[int, list[str]] = {}
        offset = 0
        for n, chunk in enumerate(chunks):
            pages.setdefault(chunk.page, []).append(chunk.text)
            begin = offset if chunk.offset is None else chunk.offset
            offset = begin + len(chunk.text) + 2
            digest = hashlib.sha256(chunk.text.encode()).digest()
            self.run(
                "insert into box_chunks values (%(org_id)s, %(environment)s, %(file_id)s, %(revision)s, %(n)s,"
                " %(digest)s, null, %(text)s, %(page)s, %(page)s, %(begin)s, %(end)s, now())",
                **values, n=n, digest=digest, text=chunk.text, page=chunk.page, begin=begin,
                end=begin + len(chunk.text),
            )  # fmt: skip
            self.run(
                "insert into box_vectors values (%(org_id)s, %(environment)s, %(model)s, %(digest)s, %(vector)s, now())"
                " on conflict do nothing",
                model=MODEL, digest=digest, vector=np.array(vector_of(chunk.text), "<f2").tobytes(),
            )  # fmt: skip
        for number, texts in pages.items():
            self.run(
                "insert into box_pages values (%(org_id)s, %(environment)s, %(file_id)s, %(revision)s, %(number)s,"
                " %(text)s, now())",
                **values, number=number, text="\n\n".join(texts),
            )  # fmt: skip
        vectors = np.array([vector_of(chunk.text) for chunk in chunks], np.float32).reshape(len(chunks), DIMENSION)
        segment = stored(vectors, [terms_of(chunk.text) for chunk in chunks])
        self.run(
            "insert into box_segments values (%(org_id)s, %(environment)s, %(box_id)s, 1, %(seq)s, %(file_id)s,"
            " %(revision)s, %(chunks)s, %(vectors)s, %(terms)s, now())",
            **values, chunks=segment.chunks, vectors=segment.vectors, terms=segment.terms,
        )  # fmt: skip


def a_box(organization: Organization, environment: str = "live", *, user_id: UUID | None = None) -> Stock:
    """A fresh box of the organisation's owner, or somebody else's."""
    stock = Stock(organization.world.database, organization.id, environment, new_id("box"))
    now = datetime.now(UTC)
    stock.run(
        "insert into boxes values (%(org_id)s, %(environment)s, %(box_id)s, 'Manuales', null, 'test', 1, %(now)s,"
        " %(now)s, null)",
        now=now,
    )
    stock.run(
        "insert into box_indexes values"
        " (%(org_id)s, %(environment)s, %(box_id)s, 0, 1, %(model)s, null, null, %(now)s)",
        model=MODEL, now=now,
    )  # fmt: skip
    stock.member(user_id or organization.owner_id, "owner")
    return stock


def _chunk(given: Chunk | str) -> Chunk:
    return Chunk(given) if isinstance(given, str) else given
