"""The organisation: its settings, its owner, its end; and the several that one person may belong to."""

from typing import Final
from uuid import UUID, uuid4

from bivelio_server.accounts.sessions import Visitor, open_session
from bivelio_server.durable import spawn
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, NotFound, Problem, StaleVersion, null_refused
from bivelio_server.kit.ids import uuid_of
from bivelio_server.kit.models import Nothing
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature, Who
from bivelio_server.kit.text import Text
from bivelio_server.members.membership import hand_over, require_owner
from bivelio_server.organization import queries
from bivelio_server.organization.models import Organization
from bivelio_server.organization.schemas import (
    Membership,
    Memberships,
    OrganizationCreate,
    OrganizationDelete,
    OrganizationReference,
    OrganizationUpdate,
    OrganizationView,
    OwnershipTransfer,
    SettingsSchema,
    SwitchedSession,
    Transferred,
)
from bivelio_server.organization.settings import OrganizationSettings

#: What goes by the organisation's clock is told when that is another one.
TIMEZONE_TASK: Final = "organization.timezone_changed"
#: Each has credits of its own every month, so nobody may have them without end.
_MOST_OWNED: Final = 50

feature: Final = Feature(
    "organization", doors=DIRECT_DOORS, doors_reason="an automation must not change whom and what it works for"
)


@feature.operation(
    "get", scope=Scope.admin, effect=Effect.read,
    summary=Text("Obtiene la organización y sus ajustes", "Get the organisation and its settings"),
)  # fmt: skip
async def get(context: Context, data: Nothing) -> OrganizationView:  # noqa: ARG001 - every operation takes one
    return _view(await queries.get_organization(context))


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional, live_only=True, errors=[StaleVersion],
    summary=Text("Cambia los ajustes de la organización", "Change the organisation's settings"),
)  # fmt: skip
async def update(context: Context, data: OrganizationUpdate) -> OrganizationView:
    row = await queries.hold_organization(context)
    if data.if_version not in (None, row.version):
        raise StaleVersion
    given = data.model_dump(exclude_unset=True, exclude={"if_version"})
    for name, value in given.items():
        if value is None:
            raise null_refused(name)
    if "retention" in given:
        given["retention"] = {**row.retention, **given["retention"]}
    if given.get("timezone", row.timezone) != row.timezone:
        await spawn(context, TIMEZONE_TASK, {})
    if any(getattr(row, name) != value for name, value in given.items()):
        for name, value in given.items():
            setattr(row, name, value)
        row.version += 1
        row.updated_at = context.now
        await context.session.flush()
    return _view(row)


@feature.operation(
    "settings_schema", scope=Scope.admin, effect=Effect.read,
    summary=Text("Describe los ajustes como JSON Schema", "Describe the settings as a JSON schema"),
)  # fmt: skip
async def settings_schema(context: Context, data: Nothing) -> SettingsSchema:  # noqa: ARG001 - every operation takes both
    return SettingsSchema(json_schema=OrganizationSettings.model_json_schema())


@feature.operation(
    "create", scope=Scope.read, effect=Effect.transactional, who=Who.person, errors=[Conflict],
    summary=Text("Crea otra organización, de la que eres propietario", "Create another organisation, which you own"),
)  # fmt: skip
async def create(context: Context, data: OrganizationCreate) -> Membership:
    if await _count_owned_alone(context, context.caller.user_id) >= _MOST_OWNED:
        raise Conflict(_TOO_MANY)
    org_id = uuid4()
    await queries.create_organization(context, org_id, data.name)
    context.changed("organizations", str(org_id), None, {"name": data.name})
    return Membership(
        id=org_id, name=data.name, plan="starter", role="owner", current=False, created_at=context.now
    )  # fmt: skip


@feature.operation(
    "list", scope=Scope.read, effect=Effect.read, who=Who.person,
    summary=Text("Lista las organizaciones a las que perteneces", "List the organisations that you belong to"),
)  # fmt: skip
async def list_organizations(context: Context, data: Nothing) -> Memberships:  # noqa: ARG001 - every operation takes one
    return Memberships(organizations=await _memberships(context))


@feature.operation(
    "switch", scope=Scope.read, effect=Effect.transactional, who=Who.person, secret_output=True, errors=[NotFound],
    summary=Text("Inicia sesión en otra de tus organizaciones", "Sign in to another of your organisations"),
)  # fmt: skip
async def switch(context: Context, data: OrganizationReference) -> SwitchedSession:
    org_id = uuid_of(data.organization_id, "organization_id")
    if org_id not in {membership.id for membership in await _memberships(context)}:
        raise NotFound("organization_id")
    account = await queries.present_session(context)
    tokens = await open_session(
        context.services, context.caller.user_id, account.email, org_id, context.caller.environment,
        Visitor(account.address, account.user_agent),
    )  # fmt: skip
    if tokens is None:
        raise NotFound("organization_id")
    return SwitchedSession(organization_id=org_id, **tokens.model_dump())


@feature.operation(
    "transfer", scope=Scope.admin, effect=Effect.transactional, who=Who.owner, live_only=True, irreversible=True,
    errors=[NotFound, Conflict],
    summary=Text("Cede la organización a otro miembro", "Hand the organisation over to another member"),
)  # fmt: skip
async def transfer(context: Context, data: OwnershipTransfer) -> Transferred:
    owner_id = await hand_over(context, data.user_id)
    if await _count_owned_alone(context, owner_id) > _MOST_OWNED:
        raise Conflict(_THEY_HAVE_TOO_MANY, details={"field": "user_id"})
    return Transferred(owner_id=owner_id, former_owner_id=context.caller.user_id)


@feature.operation(
    "delete", scope=Scope.admin, effect=Effect.transactional, who=Who.owner, live_only=True, irreversible=True,
    errors=[Impossible],
    summary=Text("Borra la organización: todo se detiene en el acto", "Delete the organisation: all stops at once"),
)  # fmt: skip
async def delete(context: Context, data: OrganizationDelete) -> OrganizationView:
    row = await queries.hold_organization(context, ending=True)
    await require_owner(context)
    if data.confirm_name != row.name:
        raise Impossible(Problem("confirm_name", "equal", _NOT_THE_NAME))
    row.deleted_at = row.updated_at = context.now
    row.deleted_by = context.caller.user_id
    row.version += 1
    await context.session.flush()
    await queries.stop_organization(context)
    return _view(row)


async def _count_owned_alone(context: Context, user_id: UUID) -> int:
    """How many a person owns; until the transaction ends, nobody else gets to count them."""
    return sum(row.role == "owner" for row in await queries.list_organizations_alone(context, user_id))


async def _memberships(context: Context) -> list[Membership]:
    return [
        Membership(
            id=row.id, name=row.name, plan=row.plan, role=row.role, current=row.id == context.caller.org_id,
            created_at=row.created_at,
        )
        for row in await queries.list_organizations(context)
    ]  # fmt: skip


def _view(row: Organization) -> OrganizationView:
    return OrganizationView.model_validate(row)


_TOO_MANY: Final = Text(
    f"Ya eres propietario de {_MOST_OWNED} organizaciones.", f"You own {_MOST_OWNED} organisations already."
)
_THEY_HAVE_TOO_MANY: Final = Text(
    f"Esa persona ya es propietaria de {_MOST_OWNED} organizaciones.",
    f"That person owns {_MOST_OWNED} organisations already.",
)
_NOT_THE_NAME: Final = Text(
    "El campo 'confirm_name' debe ser el nombre exacto de la organización.",
    "The field 'confirm_name' must be the exact name of the organisation.",
)
