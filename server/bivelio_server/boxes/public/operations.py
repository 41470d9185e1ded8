"""The keys of the public API: made, listed, revoked; and the units that searches cost.

A key is of a person, whatever their role in the organisation: it opens the boxes in which that person is owner or
administrator, and ends with the membership.
"""

from typing import Any, Final

from bivelio_server.accounts.times import true_now
from bivelio_server.boxes import queries as boxes
from bivelio_server.boxes.public import queries
from bivelio_server.boxes.public.key_format import generate_box_key
from bivelio_server.boxes.public.models import BoxKey
from bivelio_server.boxes.public.schemas import (
    BoxKeyCreate,
    BoxKeyList,
    BoxKeyPage,
    BoxKeyReference,
    BoxKeyView,
    BoxUsage,
    CreatedBoxKey,
)
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, InsufficientScope, NotFound, Problem
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Nothing, Pagination
from bivelio_server.kit.operations import ALL_DOORS, DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text

feature: Final = Feature(
    queries.RESOURCE, doors=DIRECT_DOORS, doors_reason="an automation must not be able to give itself credentials"
)


@feature.operation(
    "create_key", path="/v1/boxes/keys/create", action="create", scope=Scope.read, effect=Effect.transactional,
    secret_output=True, errors=[Impossible],
    summary=Text("Crea una clave de la API pública de cajas", "Create a key of the public API of boxes"),
)  # fmt: skip
async def create_key(context: Context, data: BoxKeyCreate) -> CreatedBoxKey:
    """Scope read, so that people of any role have keys of their own; an API key needs write."""
    _require_writer(context)
    now = true_now(context)
    if data.expires_at is not None and data.expires_at <= now:
        raise Impossible(Problem("expires_at", "future", _IN_THE_PAST))
    new = generate_box_key()
    row = BoxKey(
        **identity(context.caller), id=new_id("bkey"), name=data.name, prefix=new.prefix, digest=new.digest,
        user_id=context.caller.user_id, created_by_key=context.caller.key_id, created_at=now,
        expires_at=data.expires_at, revoked_at=None,
    )  # fmt: skip
    context.session.add(row)
    await context.session.flush()
    return CreatedBoxKey(key=new.key, **_fields(row, last_used_at=None, active=True))


@feature.operation(
    "list_keys", path="/v1/boxes/keys/list", action="list", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista las claves de la API pública de cajas", "List the keys of the public API of boxes"),
)  # fmt: skip
async def list_keys(context: Context, data: BoxKeyList) -> BoxKeyPage:
    found, total = await queries.list_keys(context, data)
    return BoxKeyPage(keys=[_view(*row) for row in found], pagination=Pagination.of(data, total))


@feature.operation(
    "revoke_key", path="/v1/boxes/keys/revoke", action="revoke", scope=Scope.read, effect=Effect.transactional,
    errors=[NotFound],
    summary=Text("Revoca una clave de la API pública de cajas", "Revoke a key of the public API of boxes"),
)  # fmt: skip
async def revoke_key(context: Context, data: BoxKeyReference) -> BoxKeyView:
    _require_writer(context)
    row, last_used_at, _active = await queries.get_key(context, data.id)
    if row.revoked_at is None:
        row.revoked_at = true_now(context)
        await context.session.flush()
    return _view(row, last_used_at, active=False)


@feature.operation(
    "usage", scope=Scope.read, effect=Effect.read, doors=ALL_DOORS,
    summary=Text("Obtiene las unidades de inteligencia del mes", "Get the month's intelligence units"),
)  # fmt: skip
async def usage(context: Context, data: Nothing) -> BoxUsage:  # noqa: ARG001 - nothing is asked
    row = await boxes.present_units(context)
    return BoxUsage(
        month=f"{row.month:%Y-%m}",
        allowance=row.allowance,
        used=row.used,
        remaining=row.remaining,
        resets_at=row.resets_at,
    )


def _require_writer(context: Context) -> None:
    """Raises InsufficientScope for an API key that only reads, as a publishable one does, which anybody may see."""
    if not context.caller.is_person and not context.caller.may(Scope.write, queries.RESOURCE):
        raise InsufficientScope(_WRITERS_ONLY, details={"required_scope": Scope.write.value})


def _view(row: BoxKey, last_used_at: Any, active: bool) -> BoxKeyView:
    return BoxKeyView(**_fields(row, last_used_at=last_used_at, active=active))


def _fields(row: BoxKey, **of_its_use: Any) -> dict[str, Any]:
    stored = BoxKeyView.model_fields.keys() - of_its_use.keys()
    return {**{name: getattr(row, name) for name in stored}, **of_its_use}


_IN_THE_PAST: Final = Text("La caducidad debe estar en el futuro.", "The expiry must be in the future.")
_WRITERS_ONLY: Final = Text(
    "Una clave de API necesita el permiso write para crear o revocar claves de cajas.",
    "An API key needs the scope write to create or revoke keys of boxes.",
)
