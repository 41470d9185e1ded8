"""The statements of a search, by hand: each says whose rows it reads, and looks for itself what the caller may see."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import identity

if TYPE_CHECKING:
    from bivelio_server.boxes.retrieval.ranking import Candidate

#: A box that is there, and the caller's role in it.
_BOX: Final = """
      from boxes b
      join box_members m on m.org_id = b.org_id and m.environment = b.environment and m.box_id = b.id
                        and m.user_id = %(user_id)s
      left join box_indexes i on i.org_id = b.org_id and i.environment = b.environment and i.box_id = b.id
"""
_THIS_BOX: Final = """
     where b.org_id = %(org_id)s and b.environment = %(environment)s and b.id = %(box_id)s and b.deleted_at is null
"""
_ASKED: Final = f"select m.role, i.version, i.model, i.next_model {_BOX} {_THIS_BOX}"
# Numbers in one text: lists would be looked through and written one by one.
_FOUND: Final = """
      left join lateral (
          select c.position::int as position, k.text, k.page_from, k.page_to, k.offset_from, k.offset_to, f.file_name,
                 v.vector
            from unnest(string_to_array(%(file_ids)s, ' '), string_to_array(%(seqs)s, ' ')::bigint[],
                        string_to_array(%(ns)s, ' ')::int[]) with ordinality as c(file_id, seq, n, position)
            join box_files f on f.org_id = %(org_id)s and f.environment = %(environment)s and f.id = c.file_id
                            and f.box_id = b.id and f.seq = c.seq and f.deleted_at is null
            join box_chunks k on k.org_id = %(org_id)s and k.environment = %(environment)s and k.file_id = f.id
                             and k.revision = f.ready_revision and k.n = c.n
            left join box_vectors v on v.org_id = %(org_id)s and v.environment = %(environment)s
                                   and v.model = %(model)s and v.digest = k.digest
      ) c on true
"""
_PASSAGES: Final = f"select m.role, i.version, c.* {_BOX} {_FOUND} {_THIS_BOX}"
_NEIGHBOURS: Final = """
    select c.position::int as position, k.n, k.text, k.page_from, k.page_to, k.offset_from, k.offset_to
      from unnest(%(file_ids)s::text[], %(revisions)s::int[], %(firsts)s::int[], %(lasts)s::int[])
           with ordinality as c(file_id, revision, first, last, position)
      join box_chunks k on k.org_id = %(org_id)s and k.environment = %(environment)s and k.file_id = c.file_id
                       and k.revision = c.revision and k.n between c.first and c.last
     order by c.position, k.n
"""
#: What is searched at this version, and how many bytes it is.
_LISTED: Final = """
    select i.version, i.generation, i.model, s.seq, s.file_id, s.revision, s.chunks, s.bytes
      from box_indexes i
      left join lateral (
          select s.seq, s.file_id, s.revision, s.chunks, octet_length(s.vectors) + octet_length(s.terms) as bytes
            from box_segments s
            join box_files f on f.org_id = s.org_id and f.environment = s.environment and f.id = s.file_id
           where s.org_id = i.org_id and s.environment = i.environment and s.box_id = i.box_id
             and s.generation = i.generation and s.chunks > 0 and f.seq = s.seq and f.deleted_at is null
      ) s on true
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.box_id = %(box_id)s
     order by s.seq
"""
# In pieces: a connection keeps as much memory for good as its largest row has taken.
_SEGMENTS: Final = """
    select s.seq, s.file_id, s.revision, s.chunks, p.at, substring(s.vectors from p.at for %(piece)s::int) as vectors,
           substring(s.terms from p.at for %(piece)s::int) as terms
      from box_segments s
     cross join lateral
           generate_series(1, greatest(octet_length(s.vectors), octet_length(s.terms)), %(piece)s::int) as p(at)
     where s.org_id = %(org_id)s and s.environment = %(environment)s and s.box_id = %(box_id)s
       and s.generation = %(generation)s and s.seq = any(%(seqs)s::bigint[])
"""
_PIECE_BYTES: Final = 1024 * 1024
_PAGES: Final = """
    select f.id, f.file_name, p.text
      from box_files f
      join box_pages p on p.org_id = f.org_id and p.environment = f.environment and p.file_id = f.id
                      and p.revision = f.ready_revision
     where f.org_id = %(org_id)s and f.environment = %(environment)s and f.box_id = %(box_id)s
       and f.id = any(%(file_ids)s::text[]) and f.deleted_at is null
     order by f.id, p.number
"""


async def asked(context: Context, box_id: str) -> Any | None:
    """Role, version and models of a box; None where the caller has no role."""
    if not is_well_formed(box_id):
        return None
    rows = await context.session.run(_ASKED, _key(context.caller, box_id))
    return rows[0] if rows else None


async def passages(context: Context, box_id: str, model: str | None, candidates: Sequence["Candidate"]) -> list[Any]:
    """One row at least, with role and version; none where the caller has no role. The others are the candidates that
    are still there, `position` counted from 1."""
    return await context.session.run(
        _PASSAGES,
        {
            **_key(context.caller, box_id),
            "model": model,
            "file_ids": " ".join([candidate.place.file_id for candidate in candidates]),
            "seqs": " ".join([str(candidate.place.seq) for candidate in candidates]),
            "ns": " ".join([str(candidate.n) for candidate in candidates]),
        },
        binary=True,
    )


async def neighbours(context: Context, spans: Sequence[tuple[str, int, int, int]]) -> list[Any]:
    """The chunks of each span: a file, its revision, the first chunk and the last."""
    return await context.session.run(
        _NEIGHBOURS,
        {
            **identity(context.caller),
            "file_ids": [span[0] for span in spans],
            "revisions": [span[1] for span in spans],
            "firsts": [span[2] for span in spans],
            "lasts": [span[3] for span in spans],
        },
    )


async def listed(session: Transaction, caller: Caller, box_id: str) -> list[Any]:
    """Version, generation and model, with each segment that is searched; one row without, where there is none."""
    return await session.run(_LISTED, _key(caller, box_id))


async def segments(
    session: Transaction, caller: Caller, box_id: str, generation: int, seqs: Sequence[int]
) -> list[Any]:
    """Their pieces of vectors and terms, which begin `at` their first, second, … byte; in order."""
    values = {**_key(caller, box_id), "generation": generation, "seqs": list(seqs), "piece": _PIECE_BYTES}
    return sorted(await session.run(_SEGMENTS, values, binary=True), key=lambda row: (row.seq, row.at))


async def pages(context: Context, box_id: str, file_ids: Sequence[str]) -> list[Any]:
    """Those of the files' present contents, in order."""
    return await context.session.run(_PAGES, {**_key(context.caller, box_id), "file_ids": list(file_ids)})


def _key(caller: Caller, box_id: str) -> dict[str, Any]:
    return {**identity(caller), "box_id": box_id, "user_id": caller.user_id}
