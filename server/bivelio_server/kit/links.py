"""Addresses of files: whoever has one may fetch the file, for a while, without any other credential.

The token in it is sealed with the secret key and holds organisation, environment, file and the time until which it is
good: nobody can make one, alter one, or read from it whose it is.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.db import opening
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.secrets import DecryptionFailed

_MAX_TOKEN: Final = 1000
_HOLE: Final = "{token}"

#: Of every file that is fetched: no browser is to run what is in it as if it were a page of ours.
GUARDS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Linked:
    """Which file somebody may fetch."""

    org_id: UUID
    environment: Environment
    file_id: str

    @property
    def key(self) -> dict[str, Any]:
        """The file as queries name it."""
        return {"org_id": self.org_id, "environment": self.environment.value, "file_id": self.file_id}

    @property
    def opening(self) -> str:
        """What opens a transaction that sees it."""
        return opening(self.org_id, self.environment)


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of one kind of file. `path` holds `{token}`; no token of a kind is good for another `kind`."""

    path: str
    kind: str
    valid: timedelta

    def address(self, context: Context, file_id: str) -> str:
        caller, until = context.caller, context.services.clock.outside() + self.valid
        plain = json.dumps([str(caller.org_id), caller.environment.value, file_id, int(until.timestamp())]).decode()
        token = _encoded(context.services.cipher.encrypt(plain, row=self.kind))
        return f"{context.services.settings.address}{self.path.replace(_HOLE, token)}"

    def open(self, services: Services, token: str) -> Linked:
        """Raises NotFound for a token that is wrong or has expired."""
        try:
            sealed = base64.urlsafe_b64decode(token[:_MAX_TOKEN] + "=" * (-len(token) % 4))
            if _encoded(sealed) != token:
                raise NotFound
            plain = services.cipher.decrypt(sealed, row=self.kind)
        except (DecryptionFailed, binascii.Error, ValueError):
            raise NotFound from None
        org_id, environment, file_id, until = json.loads_trusted(plain)
        now = services.clock.outside()
        if datetime.fromtimestamp(until, now.tzinfo) <= now:
            raise NotFound
        return Linked(UUID(org_id), Environment(environment), file_id)

    def token_in(self, services: Services, address: str) -> str | None:
        """The token of an address that is one of ours."""
        start, end = f"{services.settings.address}{self.path}".split(_HOLE)
        ours = len(address) > len(start) + len(end) and address.startswith(start) and address.endswith(end)
        return address[len(start) : len(address) - len(end)] if ours else None


def attachment(name: str) -> str:
    """A Content-Disposition that no name can break out of (RFC 6266)."""
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._- ") else "_" for char in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _encoded(sealed: bytes) -> str:
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")
