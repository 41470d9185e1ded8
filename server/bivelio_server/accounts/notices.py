"""What the organisation's owners are told about a key."""

from typing import Any, Final

from bivelio_server.accounts.models import APIKey
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.text import Text
from bivelio_server.notices.recording import notify


async def notify_expiring(context: Context, key: APIKey) -> None:
    assert key.expires_at is not None
    text = _EXPIRING.format(name=_quoted(key.name), last4=key.last4, day=key.expires_at.date().isoformat())
    await _notify(context, key, "key.expiring", text, {"key_id": key.id, "expires_at": key.expires_at})


async def notify_in_browser(context: Context, key: APIKey, origin: str) -> None:
    text = _IN_BROWSER.format(name=_quoted(key.name), last4=key.last4, origin=_quoted(origin))
    await _notify(context, key, "key.in_browser", text, {"key_id": key.id, "origin": origin})


async def _notify(context: Context, key: APIKey, kind: str, text: Text, details: dict[str, Any]) -> None:
    await notify(
        context.session, org_id=key.org_id, environment=Environment(key.environment), kind=kind, resource_id=key.id,
        text=text, details=details, now=context.now,
    )  # fmt: skip


def _quoted(value: str) -> str:
    """On one line, whatever somebody wrote."""
    return "".join(letter if letter.isprintable() else " " for letter in value)


_EXPIRING: Final = Text(
    "La clave «{name}» (…{last4}) caduca el {day}. Sustitúyela o amplía su plazo antes de que deje de funcionar.",
    "The key “{name}” (…{last4}) expires on {day}. Rotate it or give it more time before it stops working.",
)
_IN_BROWSER: Final = Text(
    "La clave secreta «{name}» (…{last4}) se usa desde una página web de {origin}, donde cualquiera puede leerla."
    " Revócala y usa allí una clave publicable.",
    "The secret key “{name}” (…{last4}) is used from a web page of {origin}, where anybody can read it."
    " Revoke it and use a publishable key there.",
)
