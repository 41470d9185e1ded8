"""Queries of ingestion, each built from its caller."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sqlalchemy import select

from bivelio_server.boxes.ingestion.chunks import Chunk
from bivelio_server.boxes.models import Box, BoxFile
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.rows import identity

if TYPE_CHECKING:
    from bivelio_server.boxes.ingestion.work import Content
    from bivelio_server.boxes.retrieval.segments import Stored

#: Rows of one statement: some hundred kilobytes of text.
_ROWS: Final = 500


class Generation(NamedTuple):
    """The vectors of one model in a box's index."""

    number: int
    model: str


class Index(NamedTuple):
    """`generations` are the one that is searched, and the next while a box changes its model."""

    version: int
    generations: tuple[Generation, ...]

    @classmethod
    def of(cls, row: Any) -> "Index":
        present = Generation(row.generation, row.model)
        upcoming = (Generation(row.next_generation, row.next_model),) if row.next_generation is not None else ()
        return cls(row.version, (present, *upcoming))


async def find_locked(session: Transaction, caller: Caller, file_id: str) -> tuple[BoxFile, bool] | None:
    """The file, and whether it and its box are there for their members."""
    query = (
        select(BoxFile, BoxFile.deleted_at.is_(None) & Box.deleted_at.is_(None))
        .join(
            Box, (Box.org_id == BoxFile.org_id) & (Box.environment == BoxFile.environment) & (Box.id == BoxFile.box_id)
        )
        .where(
            BoxFile.org_id == caller.org_id,
            BoxFile.environment == caller.environment.value,
            BoxFile.id == file_id,
        )
        .with_for_update(of=BoxFile, key_share=True)
    )
    found = (await session.execute(query)).first()
    return None if found is None else (found[0], bool(found[1]))


# Vectors that no chunk refers to are removed by whoever holds this lock alone (`unused.py`).
_HOLD_VECTORS: Final = "select pg_advisory_xact_lock_shared(hashtextextended(%(org_id)s::text || 'box_vectors', 0))"
_ANY_PAGE: Final = """
    select 1 from box_pages
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and revision = %(revision)s
     limit 1
"""
_ADD_PAGES: Final = """
    insert into box_pages (org_id, environment, file_id, revision, number, text, created_at)
    select %(org_id)s, %(environment)s, %(file_id)s, %(revision)s, given.number, given.text, %(now)s
      from unnest(%(numbers)s::int[], %(texts)s::text[]) as given (number, text)
"""
_ADD_CHUNKS: Final = """
    insert into box_chunks (org_id, environment, file_id, revision, n, digest, heading, text, page_from, page_to,
                            offset_from, offset_to, created_at)
    select %(org_id)s, %(environment)s, %(file_id)s, %(revision)s, given.*, %(now)s
      from unnest(%(n)s::int[], %(digest)s::bytea[], %(heading)s::text[], %(text)s::text[], %(page_from)s::int[],
                  %(page_to)s::int[], %(offset_from)s::int[], %(offset_to)s::int[]) as given
"""
_REMOVE: Final = (
    """
    delete from box_chunks
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and revision = %(revision)s
    """,
    """
    delete from box_pages
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and revision = %(revision)s
    """,
)


async def is_cut(context: Context, row: BoxFile) -> bool:
    """Whether pages and chunks of the file's present content are there already, all of them."""
    return bool(await context.session.run(_ANY_PAGE, _content(row)))


async def add_content(context: Context, row: BoxFile, pages: Sequence[str], chunks: Sequence[Chunk]) -> None:
    session, content = context.session, {**_content(row), "now": context.now}
    await session.run(_HOLD_VECTORS, content)
    for begin in range(0, len(pages), _ROWS):
        texts = list(pages[begin : begin + _ROWS])
        numbers = list(range(begin + 1, begin + 1 + len(texts)))
        await session.run(_ADD_PAGES, {**content, "numbers": numbers, "texts": texts})
    for begin in range(0, len(chunks), _ROWS):
        some = chunks[begin : begin + _ROWS]
        columns = {name: [getattr(chunk, name) for chunk in some] for name in Chunk.__slots__}
        await session.run(_ADD_CHUNKS, {**content, **columns, "n": list(range(begin, begin + len(some)))})


async def remove_content(context: Context, row: BoxFile, revision: int) -> None:
    """The pages and chunks of one revision."""
    for statement in _REMOVE:
        await context.session.run(statement, {**_content(row), "revision": revision})


# The same text may occur twice in a file: it is embedded once.
_MISSING: Final = """
    select distinct on (c.digest) c.n, c.digest, c.heading, c.text from (
        select n, digest, heading, text from box_chunks c
         where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s
           and revision = %(revision)s and n > %(after)s
           and not exists (select from box_vectors v
                            where v.org_id = c.org_id and v.environment = c.environment and v.model = %(model)s
                              and v.digest = c.digest)
         order by n limit %(limit)s) c
     order by c.digest, c.n
"""
_ADD_VECTORS: Final = """
    insert into box_vectors (org_id, environment, model, digest, vector, created_at)
    select %(org_id)s, %(environment)s, %(model)s, given.digest, given.vector, %(now)s
      from unnest(%(digests)s::bytea[], %(vectors)s::bytea[]) as given (digest, vector)
     order by given.digest
        on conflict do nothing
"""
_SLICE: Final = """
    select c.n, c.heading, c.text, v.vector
      from box_chunks c join box_vectors v
        on v.org_id = c.org_id and v.environment = c.environment and v.model = %(model)s and v.digest = c.digest
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.file_id = %(file_id)s
       and c.revision = %(revision)s and c.n >= %(first)s and c.n < %(first)s + %(limit)s
     order by c.n
"""


async def missing(
    session: Transaction, caller: Caller, file_id: str, revision: int, model: str, *, after: int, limit: int
) -> list[Any]:
    """The next chunks after number `after` whose text has no vector of the model: `n`, `digest`, `heading`, `text`."""
    values = {
        **identity(caller), "file_id": file_id, "revision": revision, "model": model, "after": after, "limit": limit,
    }  # fmt: skip
    return sorted(await session.run(_MISSING, values), key=lambda row: int(row.n))


async def add_vectors(context: Context, model: str, digests: Sequence[bytes], vectors: Sequence[bytes]) -> None:
    await context.session.run(
        _ADD_VECTORS,
        {
            **identity(context.caller), "model": model, "digests": list(digests), "vectors": list(vectors),
            "now": context.now,
        },
    )  # fmt: skip


async def slice_of(
    session: Transaction, caller: Caller, file_id: str, revision: int, model: str, *, first: int, limit: int
) -> list[Any]:
    """So many chunks from number `first` on that have a vector of the model: `n`, `heading`, `text`, `vector`."""
    values = {
        **identity(caller), "file_id": file_id, "revision": revision, "model": model, "first": first, "limit": limit,
    }  # fmt: skip
    return await session.run(_SLICE, values)


_ADD_INDEX: Final = """
    insert into box_indexes (org_id, environment, box_id, version, generation, model, created_at)
    values (%(org_id)s, %(environment)s, %(box_id)s, 0, 1, %(model)s, %(now)s)
        on conflict do nothing
"""
_LOCKED_INDEX: Final = """
    select * from box_indexes
     where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
       for no key update
"""
_NEXT_VERSION: Final = """
    update box_indexes set version = version + 1
     where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
    returning version
"""
_ADD_SEGMENT: Final = """
    insert into box_segments (org_id, environment, box_id, generation, seq, file_id, revision, chunks, vectors, terms,
                              created_at)
    values (%(org_id)s, %(environment)s, %(box_id)s, %(generation)s, %(seq)s, %(file_id)s, %(revision)s, %(chunks)s,
            %(vectors)s, %(terms)s, %(now)s)
"""
_REMOVE_FORMER: Final = (
    """
    delete from box_segments
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and seq <> %(seq)s
    """,
    """
    delete from box_chunks
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and revision <> %(revision)s
    """,
    """
    delete from box_pages
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and revision <> %(revision)s
    """,
)


async def lock_index(context: Context, box_id: str, model: str) -> Index:
    """The index of the box, made with this model where there is none yet."""
    values = {**identity(context.caller), "box_id": box_id, "model": model, "now": context.now}
    rows = await context.session.run(_LOCKED_INDEX, values)
    if not rows:
        await context.session.run(_ADD_INDEX, values)
        rows = await context.session.run(_LOCKED_INDEX, values)
    return Index.of(rows[0])


async def next_seq(context: Context, box_id: str) -> int:
    """A new version of the index, whose lock is held until the transaction ends: versions are in order of commit."""
    rows = await context.session.run(_NEXT_VERSION, {**identity(context.caller), "box_id": box_id})
    return int(rows[0].version)


async def add_segment(
    context: Context, content: "Content", box_id: str, generation: int, seq: int, segment: "Stored"
) -> None:
    await context.session.run(
        _ADD_SEGMENT,
        {
            **identity(context.caller), "box_id": box_id, "generation": generation, "seq": seq,
            "file_id": content.file_id, "revision": content.revision, "chunks": segment.chunks,
            "vectors": segment.vectors, "terms": segment.terms, "now": context.now,
        },
    )  # fmt: skip


async def remove_former(context: Context, row: BoxFile, seq: int) -> None:
    """Whatever was kept of the file's former contents."""
    for statement in _REMOVE_FORMER:
        await context.session.run(statement, {**_content(row), "seq": seq})


def _content(row: BoxFile) -> dict[str, Any]:
    return {"org_id": row.org_id, "environment": row.environment, "file_id": row.id, "revision": row.revision}
