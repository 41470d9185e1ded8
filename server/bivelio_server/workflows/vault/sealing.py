"""The values of secrets, sealed for their row and opened for a call."""

from collections.abc import Iterable

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.workflows.vault import queries


def seal(context: Context, secret_id: str, value: str) -> bytes:
    return context.services.cipher.encrypt(value, row=_place(context.caller, secret_id))


async def open_secrets(context: Context, names: Iterable[str]) -> dict[str, str]:
    """The values of those that exist, by name. Raises DecryptionFailed."""
    rows = await queries.named(context, names)
    cipher = context.services.cipher
    return {row.name: cipher.decrypt(row.sealed_value, row=_place(context.caller, row.id)) for row in rows}


def _place(caller: Caller, secret_id: str) -> str:
    """Names the row that a value is bound to."""
    return f"workflow_secrets.sealed_value {caller.org_id} {caller.environment.value} {secret_id}"
