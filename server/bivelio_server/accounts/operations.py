"""API keys: create, list, revoke."""

from typing import Final

from bivelio_server.accounts import queries
from bivelio_server.accounts.api_keys import generate_key, is_offered
from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.schemas import (
    APIKeyView,
    CreatedAPIKey,
    KeyCreate,
    KeyList,
    KeyPage,
    KeyReference,
)
from bivelio_server.kit.caller import Environment, Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, InsufficientScope, NotFound, Problem
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text

feature: Final = Feature(
    "keys", doors=DIRECT_DOORS, doors_reason="an automation must not be able to give itself credentials"
)


@feature.operation(
    "create", scope=Scope.admin, effect=Effect.transactional, secret_output=True, errors=[Impossible],
    summary=Text("Crea una clave de API", "Create an API key"),
)  # fmt: skip
async def create(context: Context, data: KeyCreate) -> CreatedAPIKey:
    environment = Environment(data.environment or context.caller.environment)
    _require_offered(context, data, environment)
    _require_sensible(context, data)
    _require_within_rights(context, data.scopes)
    await queries.hold_maker(context)
    new = generate_key(data.type, environment)
    row = APIKey(
        org_id=context.caller.org_id, id=new_id("key"), name=data.name, type=data.type, environment=environment.value,
        scopes=data.scopes, digest=new.digest, prefix=new.prefix, last4=new.last4, created_by=context.caller.user_id,
        created_by_key=context.caller.key_id, created_at=context.now,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    return CreatedAPIKey(key=new.key, **_view(row).model_dump())


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista las claves de API", "List the API keys"),
)  # fmt: skip
async def list_keys(context: Context, data: KeyList) -> KeyPage:
    rows, total = await queries.list_keys(context, data)
    return KeyPage(keys=[_view(row) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "revoke", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Revoca una clave de API y las que creó", "Revoke an API key and those it made"),
)  # fmt: skip
async def revoke(context: Context, data: KeyReference) -> APIKeyView:
    row = await queries.get_key(context, data.id)
    await queries.revoke(context, row.id)
    await context.session.refresh(row)
    return _view(row)


def _view(row: APIKey) -> APIKeyView:
    return APIKeyView.model_validate(row)


def _require_offered(context: Context, data: KeyCreate, environment: Environment) -> None:
    if context.caller.environment is Environment.sandbox and environment is Environment.live:
        raise InsufficientScope(_SANDBOX_MAKES_SANDBOX)
    if not is_offered(data.type, environment):
        raise Impossible(Problem("type", "one_of", _NO_SANDBOX_PUBLISHABLE))


def _require_sensible(context: Context, data: KeyCreate) -> None:
    resources = {operation.resource for operation in context.services.catalogue}
    for position, right in enumerate(data.scopes):
        resource, _, scope = right.rpartition(":")
        if resource and resource not in resources:
            names = ", ".join(sorted(resources))
            raise Impossible(Problem(f"scopes[{position}]", "resource", _UNKNOWN_RESOURCE.format(names=names)))
        if data.type == "publishable" and scope != Scope.read:
            raise Impossible(Problem(f"scopes[{position}]", "one_of", _READS_ONLY))


def _require_within_rights(context: Context, scopes: list[str]) -> None:
    for right in scopes:
        resource, _, scope = right.rpartition(":")
        if not context.caller.may(Scope(scope), resource):
            raise InsufficientScope(_BEYOND_RIGHTS.format(scope=right), details={"field": "scopes"})


_SANDBOX_MAKES_SANDBOX: Final = Text(
    "Una credencial de sandbox solo crea claves de sandbox.",
    "A sandbox credential creates sandbox keys only.",
)
_NO_SANDBOX_PUBLISHABLE: Final = Text("En sandbox solo hay claves secretas.", "The sandbox has secret keys only.")
_UNKNOWN_RESOURCE: Final = Text("Un permiso limitado nombra uno de: {names}.", "A narrow scope names one of: {names}.")
_READS_ONLY: Final = Text("Una clave publicable solo lee.", "A publishable key only reads.")
_BEYOND_RIGHTS: Final = Text(
    "No puedes dar el permiso {scope} porque no lo tienes.",
    "You cannot give the scope {scope} since you lack it.",
)
