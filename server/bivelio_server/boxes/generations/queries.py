"""Queries of a box's change of model, each built from its caller."""

from typing import Any, Final

from bivelio_server.boxes.ingestion.queries import Generation
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import identity

_SET_NEXT: Final = """
    update box_indexes set next_generation = %(number)s, next_model = %(model)s
     where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
"""
_REMOVE_NEXT: Final = """
    delete from box_segments s using box_indexes i
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.box_id = %(box_id)s
       and s.org_id = i.org_id and s.environment = i.environment and s.box_id = i.box_id
       and s.generation > i.generation
"""
# What is deleted is embedded when it is restored: it has no segment then.
_LEFT: Final = """
    select f.id as file_id, f.file_name, s.revision, s.seq, s.chunks
      from box_indexes i
      join box_segments s on s.org_id = i.org_id and s.environment = i.environment and s.box_id = i.box_id
                         and s.generation = i.generation
      join box_files f on f.org_id = s.org_id and f.environment = s.environment and f.id = s.file_id
     where i.org_id = %(org_id)s and i.environment = %(environment)s and i.box_id = %(box_id)s
       and f.deleted_at is null
       and not exists (
           select from box_segments n
            where n.org_id = s.org_id and n.environment = s.environment and n.box_id = s.box_id and n.seq = s.seq
              and n.generation = i.next_generation)
     order by s.seq limit 1
"""
_IS_THERE: Final = """
    select 1 from box_segments
     where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
       and generation = %(generation)s and seq = %(seq)s
"""
_HOLD_FILE: Final = """
    select 1 from box_files
     where org_id = %(org_id)s and environment = %(environment)s and id = %(file_id)s for key share
"""
_SWITCH: Final = """
    with switched as (
        update box_indexes
           set generation = next_generation, model = next_model, next_generation = null, next_model = null,
               version = version + 1
         where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
        returning org_id, environment, box_id, generation
    )
    delete from box_segments s using switched i
     where s.org_id = i.org_id and s.environment = i.environment and s.box_id = i.box_id
       and s.generation < i.generation
"""
_IS_OPEN: Final = """
    select 1 from boxes
     where org_id = %(org_id)s and environment = %(environment)s and id = %(box_id)s and deleted_at is null
"""
_OF_OTHERS: Final = """
    select i.box_id from box_indexes i
      join boxes b on b.org_id = i.org_id and b.environment = i.environment and b.id = i.box_id
     where i.org_id = %(org_id)s and i.environment = %(environment)s and b.deleted_at is null
       and coalesce(i.next_model, i.model) <> %(model)s and i.box_id > %(after)s
     order by i.box_id limit %(limit)s
"""


async def set_next(context: Context, box_id: str, following: Generation | None) -> None:
    """The next generation of the box, or none; what was begun for another goes."""
    values = _box(context.caller, box_id)
    await context.session.run(_REMOVE_NEXT, values)
    number, model = following or (None, None)
    await context.session.run(_SET_NEXT, {**values, "number": number, "model": model})


async def is_open(context: Context, box_id: str) -> bool:
    """Whether the box is there and not deleted."""
    return bool(await context.session.run(_IS_OPEN, _box(context.caller, box_id)))


async def left(context: Context, box_id: str) -> Any | None:
    """The first file of the box whose content has no segment of the next generation."""
    rows = await context.session.run(_LEFT, _box(context.caller, box_id))
    return rows[0] if rows else None


async def hold_file(context: Context, file_id: str) -> bool:
    return bool(await context.session.run(_HOLD_FILE, {**identity(context.caller), "file_id": file_id}))


async def has_segment(context: Context, box_id: str, generation: int, seq: int) -> bool:
    values = {**_box(context.caller, box_id), "generation": generation, "seq": seq}
    return bool(await context.session.run(_IS_THERE, values))


async def switch(context: Context, box_id: str) -> None:
    """To the next generation; the segments of the former go. The index is locked."""
    await context.session.run(_SWITCH, _box(context.caller, box_id))


async def boxes_of_others(context: Context, model: str, *, after: str, limit: int) -> list[str]:
    """Boxes that are neither of this model nor about to be, by their ids."""
    values = {**identity(context.caller), "model": model, "after": after, "limit": limit}
    return [row.box_id for row in await context.session.run(_OF_OTHERS, values)]


# Who adds chunks holds the lock too: what the statement does not find is referred to by nobody.
_HOLD: Final = "select pg_advisory_xact_lock(hashtextextended(%(org_id)s::text || 'box_vectors', 0))"
_REMOVE_UNUSED: Final = """
    with looked_at as materialized (
        select model, digest from box_vectors
         where org_id = %(org_id)s and environment = %(environment)s
           and (model, digest) > (%(model)s, %(digest)s)
         order by model, digest limit %(limit)s
    ), gone as (
        delete from box_vectors v using looked_at
         where v.org_id = %(org_id)s and v.environment = %(environment)s and v.model = looked_at.model
           and v.digest = looked_at.digest
           and not exists (
               select from box_chunks c
                 join box_files f on f.org_id = c.org_id and f.environment = c.environment and f.id = c.file_id
                 left join box_indexes i on i.org_id = f.org_id and i.environment = f.environment
                                        and i.box_id = f.box_id
                where c.org_id = v.org_id and c.environment = v.environment and c.digest = v.digest
                  and (i.box_id is null or v.model in (i.model, i.next_model)))
        returning 1
    )
    select model, digest, (select count(*) from gone) as removed from looked_at order by model desc, digest desc limit 1
"""


async def remove_unused(context: Context, after: tuple[str, bytes], limit: int) -> tuple[int, tuple[str, bytes] | None]:
    """Of so many vectors after that one, those that no chunk is searched by: how many, and where to go on."""
    values = {**identity(context.caller), "model": after[0], "digest": after[1], "limit": limit}
    await context.session.run(_HOLD, values)
    rows = await context.session.run(_REMOVE_UNUSED, values)
    return (int(rows[0].removed), (rows[0].model, rows[0].digest)) if rows else (0, None)


def _box(caller: Caller, box_id: str) -> dict[str, Any]:
    return {**identity(caller), "box_id": box_id}
