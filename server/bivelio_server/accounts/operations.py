"""API keys: made, changed, rotated, revoked.

Whoever was shown a key's secret is its maker: who created it, or for a rotated key's successor who rotated it. A key
ends with the membership of its maker, and with the key that made it when that is revoked.
"""

from datetime import datetime, timedelta
from typing import Final

from bivelio_server.accounts import queries
from bivelio_server.accounts.api_keys import NewKey, generate_key
from bivelio_server.accounts.expiry import notice_at
from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.rules import (
    expiry_within,
    origins_of,
    require_alive,
    require_held,
    require_offered,
    require_sensible_scopes,
    require_within_maker,
)
from bivelio_server.accounts.schemas import (
    APIKeyView,
    CreatedAPIKey,
    KeyCaller,
    KeyCreate,
    KeyList,
    KeyPage,
    KeyReference,
    KeyRotate,
    KeyUpdate,
    KeyUsage,
    KeyUsageRead,
    KeyUsageRow,
    RotatedAPIKey,
)
from bivelio_server.accounts.times import true_now
from bivelio_server.accounts.views import fields, view
from bivelio_server.kit.caller import Environment, Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, NotFound, StaleVersion, null_refused
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.rows import require_version
from bivelio_server.kit.text import Text
from bivelio_server.kit.versions import VERSIONS

feature: Final = Feature(
    "keys", doors=DIRECT_DOORS, doors_reason="an automation must not be able to give itself credentials"
)
_RECENTLY: Final = timedelta(hours=24)


@feature.operation(
    "create", scope=Scope.admin, effect=Effect.transactional, secret_output=True, errors=[Impossible],
    summary=Text("Crea una clave de API", "Create an API key"),
)  # fmt: skip
async def create(context: Context, data: KeyCreate) -> CreatedAPIKey:
    environment = Environment(data.environment or context.caller.environment)
    require_offered(context, data, environment)
    require_sensible_scopes(context, data.type, data.scopes)
    require_held(context, data.scopes)
    origins = origins_of(data.type, data.allowed_origins)
    maker = await queries.manage(context)
    new = generate_key(data.type, environment)
    row = _made(context, new, environment, name=data.name, key_type=data.type, scopes=data.scopes, origins=origins)
    row.api_version = VERSIONS.newest
    now, wanted = true_now(context), data.expires_at
    _expire(row, expiry_within(maker, wanted, now, explicit=wanted is not None), now)
    context.session.add(row)
    await context.session.flush()
    return CreatedAPIKey(key=new.key, **fields(row, now))


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read,
    summary=Text("Lista las claves de API", "List the API keys"),
)  # fmt: skip
async def list_keys(context: Context, data: KeyList) -> KeyPage:
    rows, total = await queries.list_keys(context, data)
    return KeyPage(keys=[view(row, true_now(context)) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "get", scope=Scope.admin, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una clave de API", "Get an API key"),
)  # fmt: skip
async def get(context: Context, data: KeyReference) -> APIKeyView:
    return view(await queries.get_key(context, data.id), true_now(context))


@feature.operation(
    "usage", scope=Scope.admin, effect=Effect.read, errors=[NotFound],
    summary=Text("Muestra el uso de una clave y quién la usa", "Show the usage of a key and who uses it"),
)  # fmt: skip
async def usage(context: Context, data: KeyUsageRead) -> KeyUsage:
    row = await queries.get_key(context, data.id)
    await context.services.journal.flush()
    days = [KeyUsageRow(**day._asdict()) for day in await queries.usage(context, row, data.days)]
    callers = await queries.recent_callers(context, row, true_now(context) - _RECENTLY)
    return KeyUsage(
        id=row.id,
        requests=sum(day.requests for day in days),
        errors=sum(day.errors for day in days),
        refused=sum(day.refused for day in days),
        usage=days,
        recent_callers=[KeyCaller(**caller._asdict()) for caller in callers],
    )


@feature.operation(
    "update", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, Impossible, StaleVersion],
    summary=Text("Cambia una clave de API", "Change an API key"),
)  # fmt: skip
async def update(context: Context, data: KeyUpdate) -> APIKeyView:
    own = await queries.manage(context)
    row = await queries.get_key(context, data.id)
    require_alive(row, true_now(context))
    require_version(row, data.if_version)
    require_held(context, row.scopes, _NOT_YOURS)
    await _apply(context, row, data, own)
    if context.session.is_modified(row):
        row.version += 1
        await context.session.flush()
    return view(row, true_now(context))


@feature.operation(
    "rotate", scope=Scope.admin, effect=Effect.transactional, secret_output=True, errors=[NotFound, Conflict],
    summary=Text("Sustituye una clave de API por otra; ambas valen durante la gracia",
                 "Replace an API key by another; both work while the grace lasts"),
)  # fmt: skip
async def rotate(context: Context, data: KeyRotate) -> RotatedAPIKey:
    """The successor has what the key may do now, and lives no longer than the key that asks."""
    own = await queries.manage(context)
    old, now = await queries.get_key(context, data.id), true_now(context)
    _require_rotatable(old, now)
    rights = await queries.present_rights(context, f"key:{old.id}")
    scopes = old.scopes if rights.issuperset(old.scopes) else sorted(rights)
    require_held(context, scopes, _NOT_YOURS)
    environment = Environment(old.environment)
    new = generate_key(old.type, environment)
    row = _made(context, new, environment, name=old.name, key_type=old.type, scopes=scopes, origins=old.allowed_origins)
    row.api_version, row.rotated_from = old.api_version, old.id
    _expire(row, expiry_within(own, old.expires_at, now, explicit=False), now)
    context.session.add(row)
    await context.session.flush()
    _retire(old, row.id, now, data.grace_seconds)
    await context.session.flush()
    return RotatedAPIKey(key=new.key, previous=view(old, now), **fields(row, now))


@feature.operation(
    "revoke", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Revoca una clave de API y las que creó", "Revoke an API key and those it made"),
)  # fmt: skip
async def revoke(context: Context, data: KeyReference) -> APIKeyView:
    await queries.manage(context)
    row = await queries.get_key(context, data.id)
    for key in await queries.lineage(context, row.id):
        if key.revoked_at is None:
            key.revoked_at = true_now(context)
            key.version += 1
    await context.session.flush()
    return view(row, true_now(context))


async def _apply(context: Context, row: APIKey, data: KeyUpdate, own: APIKey | None) -> None:
    given = data.model_fields_set - {"id", "if_version"}
    if nulls := sorted(name for name in given - {"expires_at"} if getattr(data, name) is None):
        raise null_refused(*nulls)
    if data.name is not None:
        row.name = data.name
    if data.scopes is not None:
        require_sensible_scopes(context, row.type, data.scopes)
        require_held(context, data.scopes)
        await require_within_maker(context, row, data.scopes)
        row.scopes = data.scopes
    if data.allowed_origins is not None:
        row.allowed_origins = origins_of(row.type, data.allowed_origins)
    if "expires_at" in given:
        _expire(row, expiry_within(own, data.expires_at, true_now(context), explicit=True), true_now(context))


def _made(
    context: Context, new: NewKey, environment: Environment, *, name: str, key_type: str, scopes: list[str],
    origins: list[str],
) -> APIKey:  # fmt: skip
    """A row made by the caller."""
    return APIKey(
        org_id=context.caller.org_id, id=new_id("key"), name=name, type=key_type, environment=environment.value,
        scopes=scopes, allowed_origins=origins, digest=new.digest, prefix=new.prefix, last4=new.last4,
        created_by=context.caller.user_id, created_by_key=context.caller.key_id, created_at=true_now(context),
        version=1,
    )  # fmt: skip


def _expire(row: APIKey, expires_at: datetime | None, now: datetime) -> None:
    if row.expires_at != expires_at:
        row.expires_at = expires_at
        row.expiry_notice_at = notice_at(expires_at, now)
        row.expiry_announced_at = None


def _require_rotatable(row: APIKey, now: datetime) -> None:
    """Raises Conflict."""
    if row.retires_at is not None:
        raise Conflict(_ROTATED, details={"field": "id", "successor_id": row.successor_id})
    require_alive(row, now)
    if row.expires_at is not None and row.expires_at <= now:
        raise Conflict(_EXPIRED, details={"field": "id"})


def _retire(row: APIKey, successor_id: str, now: datetime, grace_seconds: int) -> None:
    """Without grace it is revoked, which holds at once, however far apart the clocks of two servers are."""
    row.successor_id = successor_id
    row.retires_at = now + timedelta(seconds=grace_seconds)
    row.revoked_at = now if grace_seconds == 0 else None
    row.version += 1


_NOT_YOURS: Final = Text(
    "Para cambiar esta clave necesitas sus permisos, y te falta {scope}.",
    "To change this key you need its scopes, and you lack {scope}.",
)
_ROTATED: Final = Text(
    "La clave ya se ha sustituido; sustituye a su sucesora.", "The key is already rotated; rotate its successor."
)
_EXPIRED: Final = Text("La clave ha caducado; crea otra.", "The key has expired; create another.")
