"""Boxes: create, list, get, update, delete, restore, erase."""

from typing import Final

from bivelio_server.boxes import queries
from bivelio_server.boxes.access import get_box, require
from bivelio_server.boxes.beginning import begin
from bivelio_server.boxes.limits import MAX_BOXES, TOO_MANY_BOXES
from bivelio_server.boxes.models import Box, BoxMember
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.schemas import (
    BoxCreate,
    BoxErased,
    BoxList,
    BoxPage,
    BoxReference,
    BoxUpdate,
    BoxView,
    FileCounts,
)
from bivelio_server.boxes.views import box_view
from bivelio_server.durable import cancel_all
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, InsufficientScope, NotFound, StaleVersion, null_refused
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.text import Text
from bivelio_server.members.membership import require_owner

feature: Final = Feature("boxes")


@feature.operation(
    "create", scope=Scope.write, effect=Effect.transactional, errors=[Conflict],
    summary=Text("Crea una caja de documentos", "Create a box of documents"),
)  # fmt: skip
async def create(context: Context, data: BoxCreate) -> BoxView:
    if await queries.count_boxes(context) >= MAX_BOXES:
        raise Conflict(TOO_MANY_BOXES, details={"maximum": MAX_BOXES})
    if not await queries.hold_member_of_organization(context, context.caller.user_id):
        raise InsufficientScope(_NOBODY)
    row = Box(
        **identity(context.caller), id=new_id("box"), name=data.name, description=data.description,
        created_by=context.caller.actor, version=1, created_at=context.now, updated_at=context.now,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    context.session.add(
        BoxMember(
            **identity(context.caller), box_id=row.id, user_id=context.caller.user_id, role=BoxRole.owner.value,
            created_at=context.now,
        )
    )  # fmt: skip
    await context.session.flush()
    return box_view(row, BoxRole.owner, FileCounts())


@feature.operation(
    "list", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista las cajas de las que se es miembro", "List the boxes that one is a member of"),
)  # fmt: skip
async def list_boxes(context: Context, data: BoxList) -> BoxPage:
    if data.all:
        if not context.caller.is_person:
            raise InsufficientScope(_OWNER_IN_PERSON, details={"field": "all"})
        await require_owner(context)
    rows, total = await queries.list_boxes(context, data, deleted_after=context.now - RESTORABLE)
    counts = await queries.file_counts(context, [row.id for row, _ in rows])
    shown = [box_view(row, role, counts[row.id]) for row, role in rows]
    return BoxPage(boxes=shown, pagination=Pagination.of(data, total))


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una caja", "Get a box"),
)  # fmt: skip
async def get(context: Context, data: BoxReference) -> BoxView:
    row, role = await queries.get_with_role(context, data.box_id)
    return await _view(context, row, role)


@feature.operation(
    "update", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, StaleVersion],
    summary=Text("Cambia el nombre o la descripción de una caja", "Change the name or the description of a box"),
)  # fmt: skip
async def update(context: Context, data: BoxUpdate) -> BoxView:
    row, role = await queries.get_with_role(context, data.box_id, lock=True)
    require(role, BoxRole.admin)
    require_version(row, data.if_version)
    given = data.model_dump(include=data.model_fields_set - {"box_id", "if_version"})
    if given.get("name", "") is None:
        raise null_refused("name")
    if any(value != getattr(row, name) for name, value in given.items()):
        for name, value in given.items():
            setattr(row, name, value)
        row.version, row.updated_at = row.version + 1, context.now
        await context.session.flush()
    return await _view(context, row, role)


@feature.operation(
    "delete", scope=Scope.write, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Borra una caja; se puede restaurar durante 30 días", "Delete a box; restorable for 30 days"),
)  # fmt: skip
async def delete(context: Context, data: BoxReference) -> BoxView:
    await get_box(context, data.box_id, BoxRole.owner)
    await cancel_all(context, await queries.tasks_in(context, data.box_id))
    row = await get_box(context, data.box_id, BoxRole.owner, lock=True)
    row.deleted_at = context.now
    await queries.bump(context, row.id)
    return await _view(context, row, BoxRole.owner)


@feature.operation(
    "restore", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Conflict],
    summary=Text("Restaura una caja borrada", "Restore a deleted box"),
)  # fmt: skip
async def restore(context: Context, data: BoxReference) -> BoxView:
    row, role = await queries.get_deleted_with_role(context, data.box_id, since=context.now - RESTORABLE)
    require(role, BoxRole.owner)
    if await queries.count_boxes(context) >= MAX_BOXES:
        raise Conflict(TOO_MANY_BOXES, details={"maximum": MAX_BOXES})
    row.deleted_at = None
    row.version, row.updated_at = row.version + 1, context.now
    await begin(context, *await queries.unfinished(context, row.id))
    await queries.bump(context, row.id)
    return await _view(context, row, role)


@feature.operation(
    "erase", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound], irreversible=True,
    summary=Text(
        "Borra una caja para siempre, con sus ficheros y lo que se leyó de ellos",
        "Erase a box for good, with its files and what was read out of them",
    ),
)  # fmt: skip
async def erase(context: Context, data: BoxReference) -> BoxErased:
    _, role = await queries.get_any_with_role(context, data.box_id, lock=False)
    require(role, BoxRole.owner)
    await cancel_all(context, await queries.tasks_in(context, data.box_id))
    row, role = await queries.get_any_with_role(context, data.box_id)
    require(role, BoxRole.owner)
    await queries.remove_box(context, row.id)
    context.changed("boxes", row.id, {"erased": False}, {"erased": True})
    return BoxErased(id=row.id, erased=True)


async def _view(context: Context, row: Box, role: BoxRole) -> BoxView:
    counts = await queries.file_counts(context, [row.id])
    return box_view(row, role, counts[row.id])


_NOBODY: Final = Text(
    "Una caja necesita un propietario, y quien actúa ya no es miembro de la organización.",
    "A box needs an owner, and whoever acts is no member of the organisation any more.",
)
_OWNER_IN_PERSON: Final = Text(
    "Todas las cajas solo las ve el propietario de la organización, con su sesión iniciada.",
    "All boxes are shown to the organisation's owner only, signed in.",
)
