"""The secrets that prove who calls a hook: making them, keeping them, having them at hand for a request."""

import base64
import secrets
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from bivelio_server.kit.secrets import Cipher

PREFIX: Final = "whsec_"
#: No padding comes of them.
_BYTES: Final = 33


class Sealed(Protocol):
    """The columns of a hook that hold its secrets."""

    @property
    def secret(self) -> bytes | None: ...
    @property
    def previous_secret(self) -> bytes | None: ...
    @property
    def previous_until(self) -> datetime | None: ...


def generate() -> str:
    """As Standard Webhooks writes them, and fit for a URL, so that one secret serves every way of proving it."""
    while True:
        secret = base64.b64encode(secrets.token_bytes(_BYTES)).decode()
        if secret.isalnum():
            return PREFIX + secret


def place_of(org_id: UUID, environment: str, hook_id: str) -> str:
    """Names the row that a secret is bound to, whichever of its columns holds it."""
    return f"workflow_hooks.secret {org_id} {environment} {hook_id}"


def opened(cipher: Cipher, row: Sealed, place: str, now: datetime) -> list[str]:
    """Those that count at this moment, the present one first. Raises DecryptionFailed."""
    sealed = [row.secret]
    if row.previous_until is not None and row.previous_until > now:
        sealed.append(row.previous_secret)
    return [cipher.decrypt(one, row=place) for one in sealed if one is not None]
