"""What a key may be: nobody gives away a right that they lack, and nothing outlives the key that made it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from bivelio_server.accounts import queries, web_origins
from bivelio_server.accounts.api_keys import is_offered
from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.schemas import KeyCreate
from bivelio_server.kit.caller import Environment, Scope, covers, expand_rights
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, InsufficientScope, Problem
from bivelio_server.kit.text import Text


def require_offered(context: Context, data: KeyCreate, environment: Environment) -> None:
    """Raises InsufficientScope, Impossible."""
    if context.caller.environment is Environment.sandbox and environment is Environment.live:
        raise InsufficientScope(_SANDBOX_MAKES_SANDBOX)
    if not is_offered(data.type, environment):
        raise Impossible(Problem("type", "one_of", _NO_SANDBOX_PUBLISHABLE))


def require_sensible_scopes(context: Context, key_type: str, scopes: list[str]) -> None:
    """Raises Impossible, naming the scope."""
    resources = {operation.resource for operation in context.services.catalogue}
    for position, right in enumerate(scopes):
        resource, _, scope = right.rpartition(":")
        if resource and resource not in resources:
            names = ", ".join(sorted(resources))
            raise Impossible(Problem(f"scopes[{position}]", "resource", _UNKNOWN_RESOURCE.format(names=names)))
        if key_type == "publishable" and scope != Scope.read:
            raise Impossible(Problem(f"scopes[{position}]", "one_of", _READS_ONLY))


def require_held(context: Context, scopes: Iterable[str], text: Text | None = None) -> None:
    """That the caller has all these scopes. Raises InsufficientScope."""
    for right in scopes:
        resource, _, scope = right.rpartition(":")
        if not context.caller.may(Scope(scope), resource):
            raise InsufficientScope((text or _BEYOND_RIGHTS).format(scope=right), details={"field": "scopes"})


async def require_within_maker(context: Context, row: APIKey, scopes: list[str]) -> None:
    """That what `scopes` add is what the key's maker may do now. Raises InsufficientScope."""
    present = expand_rights(row.scopes)
    added = [right for right in scopes if not covers(present, right)]
    if not added:
        return
    maker = f"key:{row.created_by_key}" if row.created_by_key else f"user:{row.created_by}"
    rights = await queries.present_rights(context, maker)
    for right in added:
        if not covers(rights, right):
            raise InsufficientScope(_BEYOND_MAKER.format(scope=right), details={"field": "scopes"})


def require_alive(row: APIKey, now: datetime) -> None:
    """Raises Conflict for a key that can never work again."""
    if row.revoked_at is not None or (row.retires_at is not None and row.retires_at <= now):
        raise Conflict(_DEAD, details={"field": "id"})


def expiry_within(maker: APIKey | None, wanted: datetime | None, now: datetime, *, explicit: bool) -> datetime | None:
    """When a key may end that `maker` makes or changes. A wish that is too late is refused if it is `explicit`.

    Raises Impossible.
    """
    if wanted is not None and wanted <= now:
        raise Impossible(Problem("expires_at", "future", _IN_THE_PAST))
    end = _end_of(maker) if maker else None
    if end is None or (wanted is not None and wanted <= end):
        return wanted
    if explicit:
        raise Impossible(Problem("expires_at", "maximum", _OUTLIVES_MAKER))
    return end


def origins_of(key_type: str, origins: list[str]) -> list[str]:
    """The origins in the form that browsers send, each once. Raises Impossible, naming the element."""
    if origins and key_type != "publishable":
        raise Impossible(Problem("allowed_origins", "publishable", _PUBLISHABLE_ONLY))
    known: list[str] = []
    for position, origin in enumerate(origins):
        normal = web_origins.normalised(origin)
        if normal is None:
            raise Impossible(Problem(f"allowed_origins[{position}]", "origin", _NO_ORIGIN))
        known.append(normal)
    return list(dict.fromkeys(known))


def _end_of(key: APIKey) -> datetime | None:
    return min((moment for moment in (key.expires_at, key.retires_at) if moment is not None), default=None)


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
_BEYOND_MAKER: Final = Text(
    "La clave no puede tener el permiso {scope}, porque quien la creó no lo tiene.",
    "The key cannot have the scope {scope}, since its maker lacks it.",
)
_DEAD: Final = Text("La clave está revocada o retirada.", "The key is revoked or retired.")
_IN_THE_PAST: Final = Text("La caducidad debe estar en el futuro.", "The expiry must be in the future.")
_OUTLIVES_MAKER: Final = Text(
    "Una clave no puede durar más que la clave con la que se crea o se cambia.",
    "A key cannot last longer than the key that makes or changes it.",
)
_PUBLISHABLE_ONLY: Final = Text(
    "Solo una clave publicable tiene orígenes permitidos.", "Only a publishable key has allowed origins."
)
_NO_ORIGIN: Final = Text(
    "Un origen es como https://app.ejemplo.com, con puerto si no es el habitual y sin ruta; http solo para localhost.",
    "An origin is like https://app.example.com, with a port if unusual and without a path; http for localhost only.",
)
