"""Every query on keys: those of the caller, and the one that is asked before there is a caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from psycopg.rows import TupleRow
from sqlalchemy import Select, func, literal_column

from bivelio_server.accounts.times import true_now
from bivelio_server.boxes.public.models import BoxKey, BoxKeyWindow
from bivelio_server.boxes.public.schemas import BoxKeyList
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Database
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, count_of, identity

RESOURCE: Final = "boxes"
_ADMIT: Final = """
    select org_id, environment, id, user_id, role, scopes, plan, expired, hits, key_remaining, key_resets_at,
           user_remaining, user_resets_at, retry_after, held_by
      from admit_by_box_key(%s, %s, %s, %s)
"""
#: Without reading them.
_TEXT_BYTES: Final = """
    select coalesce(sum(octet_length(p.text)), 0)::bigint as bytes
      from box_files f
      join box_pages p on p.org_id = f.org_id and p.environment = f.environment and p.file_id = f.id
                      and p.revision = f.ready_revision
     where f.org_id = %(org_id)s and f.environment = %(environment)s and f.box_id = %(box_id)s
       and f.id = any(%(file_ids)s::text[]) and f.deleted_at is null
"""


async def admit(database: Database, digest: bytes, per_minute: int, per_day: int, now: datetime) -> TupleRow | None:
    """Whose key it is, charged to both its windows or to none; None for a key that does not work."""
    return await database.call(_ADMIT, (digest, per_minute, per_day, now))


async def list_keys(context: Context, data: BoxKeyList) -> tuple[Sequence[Any], int]:
    """A page of keys as `get_key` gives them, and how many there are."""
    query = _visible(context).order_by(BoxKey.created_at.desc(), BoxKey.id.desc())
    page = _with_use(context, query).limit(data.per_page).offset(data.offset)
    return (await context.session.execute(page)).all(), await count_of(context.session, query)


async def get_key(context: Context, key_id: str) -> Any:
    """`BoxKey`, when it was used last, and whether it is active. Raises NotFound."""
    if not is_well_formed(key_id):
        raise NotFound("id")
    found = (await context.session.execute(_with_use(context, _visible(context).where(BoxKey.id == key_id)))).first()
    if found is None:
        raise NotFound("id")
    return found


async def text_bytes(context: Context, box_id: str, file_ids: Sequence[str]) -> int:
    """How much text these files of the box hold together."""
    values = {**identity(context.caller), "box_id": box_id, "file_ids": list(file_ids)}
    [row] = await context.session.run(_TEXT_BYTES, values)
    found: int = row.bytes
    return found


def _visible(context: Context) -> Select[Any]:
    """One's own; those of everybody for who administers."""
    query = business(BoxKey, context.caller)
    if context.caller.may(Scope.admin, RESOURCE):
        return query
    return query.where(BoxKey.user_id == context.caller.user_id)


def _with_use(context: Context, query: Select[Any]) -> Select[Any]:
    end = func.box_key_end(literal_column("box_keys"))
    window = (
        (BoxKeyWindow.org_id == BoxKey.org_id)
        & (BoxKeyWindow.environment == BoxKey.environment)
        & (BoxKeyWindow.key_id == BoxKey.id)
    )
    active = func.coalesce(end > true_now(context), True).label("active")
    return query.outerjoin(BoxKeyWindow, window).add_columns(BoxKeyWindow.last_used_at, active)
