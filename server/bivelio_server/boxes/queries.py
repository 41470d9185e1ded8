"""Queries on boxes, their members and files, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, select

from bivelio_server.boxes.models import Box, BoxFile, BoxMember
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.schemas import BoxList, FileCounts, FileList, MembersList
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, count_of, identity, only, page_of

# Whoever changes what a search could notice takes this lock last, after those of the box and of the file.
_BUMP: Final = """
    update box_indexes set version = version + 1
     where org_id = %(org_id)s and environment = %(environment)s and box_id = %(box_id)s
"""
_BY_EMAIL: Final = "select user_id from member_with_email(%(email)s)"
_PEOPLE: Final = "select id, email, name from people(%(users)s)"
# They stay a member until the transaction ends.
_HOLD_MEMBER: Final = """
    select user_id from members where org_id = %(org_id)s and user_id = %(user_id)s for key share
"""
_HOLD_ORGANIZATION: Final = "select id from organizations where id = %(org_id)s for no key update"
_UNFINISHED: Final = """
    select f.id from box_files f
     where f.org_id = %(org_id)s and f.environment = %(environment)s and f.box_id = %(box_id)s
       and f.deleted_at is null and f.state <> 'failed' and (%(file_id)s::text is null or f.id = %(file_id)s)
       and (f.state <> 'ready' or not exists (
            select from box_segments s join box_indexes i using (org_id, environment, box_id, generation)
             where s.org_id = f.org_id and s.environment = f.environment and s.file_id = f.id
               and s.revision = f.revision))
     order by f.id
"""

_PRESENT_UNITS: Final = "select month, allowance, used, remaining, resets_at from present_units(%(now)s)"
_TAKE_UNIT: Final = "select take_unit(%(now)s) as taken"


async def get_with_role(
    context: Context, box_id: str, *, lock: bool = False, field: str = "box_id"
) -> tuple[Box, BoxRole]:
    """A box that is not deleted, and the role of the person behind the caller. Raises NotFound, naming the input
    `field`, where they have none."""
    return await _with_role(context, box_id, Box.deleted_at.is_(None), lock=lock, field=field)


async def get_deleted_with_role(context: Context, box_id: str, *, since: datetime) -> tuple[Box, BoxRole]:
    """As `get_with_role`, of a box deleted after `since`; locked."""
    return await _with_role(context, box_id, Box.deleted_at > since, lock=True)


async def get_any_with_role(context: Context, box_id: str, *, lock: bool = True) -> tuple[Box, BoxRole]:
    """As `get_with_role`, deleted or not."""
    return await _with_role(context, box_id, lock=lock)


async def get_box(context: Context, box_id: str, *, lock: bool = False) -> Box:
    """A box that is not deleted, whoever its members are. Raises NotFound."""
    query = business(Box, context.caller).where(Box.deleted_at.is_(None))
    return await only(context.session, query.with_for_update(key_share=True) if lock else query, box_id, field="box_id")


async def list_boxes(
    context: Context, data: BoxList, *, deleted_after: datetime
) -> tuple[list[tuple[Box, BoxRole | None]], int]:
    """One page of boxes with the caller's role, and how many there are in all; deleted ones if still restorable."""
    mine = and_(*_same_box(), BoxMember.user_id == context.caller.user_id)
    query = (
        select(Box, BoxMember.role)
        .join(BoxMember, mine, isouter=data.all)
        .where(
            Box.org_id == context.caller.org_id,
            Box.environment == context.caller.environment.value,
            Box.deleted_at > deleted_after if data.deleted else Box.deleted_at.is_(None),
        )
    )
    newest = query.order_by(Box.created_at.desc(), Box.id.desc()).limit(data.per_page).offset(data.offset)
    rows = (await context.session.execute(newest)).all()
    found = [(row.Box, BoxRole(row.role) if row.role else None) for row in rows]
    return found, await count_of(context.session, query.with_only_columns(Box.id))


async def count_boxes(context: Context) -> int:
    """How many there are; nobody else of the organisation counts them until the transaction ends."""
    await context.session.run(_HOLD_ORGANIZATION, {"org_id": context.caller.org_id})
    return await count_of(context.session, business(Box, context.caller).where(Box.deleted_at.is_(None)))


async def file_counts(context: Context, box_ids: Sequence[str]) -> dict[str, FileCounts]:
    query = (
        select(BoxFile.box_id, BoxFile.state, func.count().label("files"))
        .where(
            BoxFile.org_id == context.caller.org_id,
            BoxFile.environment == context.caller.environment.value,
            BoxFile.box_id.in_(box_ids),
            BoxFile.deleted_at.is_(None),
        )
        .group_by(BoxFile.box_id, BoxFile.state)
    )
    found: dict[str, dict[str, int]] = {box_id: {} for box_id in box_ids}
    for row in await context.session.execute(query):
        found[row.box_id][row.state] = row.files
    return {box_id: FileCounts(**states, total=sum(states.values())) for box_id, states in found.items()}


async def remove_box(context: Context, box_id: str) -> None:
    """The box, and all that is in it."""
    await context.session.execute(delete(Box).where(*_own(context, Box), Box.id == box_id))


async def hold_member_of_organization(context: Context, user_id: UUID) -> bool:
    """Whether they are one, which they stay until the transaction ends."""
    return bool(await context.session.run(_HOLD_MEMBER, {"org_id": context.caller.org_id, "user_id": user_id}))


async def member_with_email(context: Context, email: str) -> UUID | None:
    """The member of the organisation who signs in with it."""
    rows = await context.session.run(_BY_EMAIL, {"email": email})
    return rows[0].user_id if rows else None


async def find_member(context: Context, box_id: str, user_id: UUID) -> BoxMember | None:
    query = _members(context, box_id).where(BoxMember.user_id == user_id)
    found: BoxMember | None = await context.session.scalar(query)
    return found


async def list_members(context: Context, data: MembersList) -> tuple[list[BoxMember], int]:
    newest = _members(context, data.box_id).order_by(BoxMember.created_at.desc(), BoxMember.user_id)
    return await page_of(context.session, newest, data)


async def count_members(context: Context, box_id: str, role: BoxRole | None = None) -> int:
    query = _members(context, box_id)
    return await count_of(context.session, query if role is None else query.where(BoxMember.role == role.value))


async def people(context: Context, users: list[UUID]) -> dict[UUID, Any]:
    """Address and name of members of the organisation."""
    return {row.id: row for row in await context.session.run(_PEOPLE, {"users": users})}


async def get_file(context: Context, box_id: str, file_id: str, *, lock: bool = False) -> BoxFile:
    """A file of the box that is not deleted. Raises NotFound."""
    query = _files(context, box_id).where(BoxFile.deleted_at.is_(None))
    return await only(context.session, _locked(query) if lock else query, file_id, field="file_id")


async def get_deleted_file(context: Context, box_id: str, file_id: str, *, since: datetime) -> BoxFile:
    """A file of the box deleted after `since`, locked. Raises NotFound."""
    query = _files(context, box_id).where(BoxFile.deleted_at > since)
    return await only(context.session, _locked(query), file_id, field="file_id")


async def get_any_file(context: Context, box_id: str, file_id: str) -> BoxFile:
    """A file of the box, deleted or not, locked. Raises NotFound."""
    return await only(context.session, _locked(_files(context, box_id)), file_id, field="file_id")


async def list_files(context: Context, data: FileList, *, deleted_after: datetime) -> tuple[list[BoxFile], int]:
    """One page of the box's files, and how many there are in all; deleted ones if still restorable."""
    query = _files(context, data.box_id).where(
        BoxFile.deleted_at > deleted_after if data.deleted else BoxFile.deleted_at.is_(None)
    )
    if data.search is not None:
        query = query.where(BoxFile.file_name.icontains(data.search, autoescape=True))
    if data.state is not None:
        query = query.where(BoxFile.state == data.state)
    return await page_of(context.session, query.order_by(BoxFile.created_at.desc(), BoxFile.id.desc()), data)


async def count_files(context: Context, box_id: str) -> int:
    return await count_of(context.session, _files(context, box_id).where(BoxFile.deleted_at.is_(None)))


async def task_of(context: Context, file_id: str) -> UUID | None:
    """The task that ingests it; not locked."""
    query = business(BoxFile, context.caller).where(BoxFile.id == file_id).with_only_columns(BoxFile.task_id)
    found: UUID | None = await context.session.scalar(query)
    return found


async def tasks_in(context: Context, box_id: str) -> list[UUID]:
    """The tasks of files that are not searchable yet; not locked."""
    query = _files(context, box_id).where(BoxFile.state.in_(("pending", "processing")), BoxFile.task_id.is_not(None))
    return list(await context.session.scalars(query.with_only_columns(BoxFile.task_id)))


async def unfinished(context: Context, box_id: str, file_id: str | None = None) -> list[BoxFile]:
    """The files of the box, or the one, that are to be read or whose content is not in the present index; locked."""
    await context.session.flush()
    values = {**identity(context.caller), "box_id": box_id, "file_id": file_id}
    ids = [row.id for row in await context.session.run(_UNFINISHED, values)]
    query = _locked(_files(context, box_id).where(BoxFile.id.in_(ids)).order_by(BoxFile.id))
    return list(await context.session.scalars(query)) if ids else []


async def remove_file(context: Context, file_id: str) -> None:
    """The file, and what was read out of it."""
    await context.session.execute(delete(BoxFile).where(*_own(context, BoxFile), BoxFile.id == file_id))


async def bump(context: Context, box_id: str) -> None:
    """Let every process look again at what is in the box. The last lock of a transaction."""
    await context.session.flush()
    await context.session.run(_BUMP, {**identity(context.caller), "box_id": box_id})


async def _with_role(
    context: Context, box_id: str, *conditions: ColumnElement[bool], lock: bool, field: str = "box_id"
) -> tuple[Box, BoxRole]:
    if not is_well_formed(box_id):
        raise NotFound(field)
    query = (
        select(Box, BoxMember.role)
        .join(BoxMember, and_(*_same_box()))
        .where(*_own(context, Box), Box.id == box_id, BoxMember.user_id == context.caller.user_id, *conditions)
    )
    # Rows may go on pointing at the box meanwhile.
    locked = query.with_for_update(of=Box, key_share=True) if lock else query
    found = (await context.session.execute(locked)).first()
    if found is None:
        raise NotFound(field)
    return found.Box, BoxRole(found.role)


def _same_box() -> tuple[ColumnElement[bool], ...]:
    return (
        BoxMember.org_id == Box.org_id,
        BoxMember.environment == Box.environment,
        BoxMember.box_id == Box.id,
    )


def _own(context: Context, model: type[Box] | type[BoxFile] | type[BoxMember]) -> tuple[ColumnElement[bool], ...]:
    return model.org_id == context.caller.org_id, model.environment == context.caller.environment.value


def _members(context: Context, box_id: str) -> Select[BoxMember]:
    return select(BoxMember).where(*_own(context, BoxMember), BoxMember.box_id == box_id)


def _files(context: Context, box_id: str) -> Select[BoxFile]:
    return business(BoxFile, context.caller).where(BoxFile.box_id == box_id)


def _locked(query: Select[BoxFile]) -> Select[BoxFile]:
    return query.with_for_update(key_share=True)


async def present_units(context: Context) -> Any:
    """The units of this month."""
    [row] = await context.session.run(_PRESENT_UNITS, {"now": context.now})
    return row


async def take_unit(context: Context) -> bool:
    """Whether there was one left."""
    [row] = await context.session.run(_TAKE_UNIT, {"now": context.now})
    taken: bool = row.taken
    return taken
