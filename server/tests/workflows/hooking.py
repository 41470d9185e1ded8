"""Other systems that call the URL of a workflow."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from tests.workflows.arranging import HELLO, Json, workflow
from tests.world import Client

ON_WEBHOOK: Json = {"trigger": {"type": "webhook"}}
#: Gives the headers that prove the secret: of secret, body and the time of sending.
Proof = Callable[[str, bytes, int], dict[str, str]]


@dataclass
class Hook:
    """A workflow's URL as its organisation and the other system know it."""

    client: Client
    workflow: Json
    path: str
    secret: str

    async def send(self, content: bytes | str = b"", headers: dict[str, str] | None = None, **options: Any) -> Any:
        """The reply to a request with these headers, JSON unless they say otherwise."""
        given = {"Content-Type": "application/json", **(headers or {})}
        return await self.client.http.request(
            options.pop("method", "POST"), options.pop("path", self.path), content=content, headers=given, **options
        )

    async def call(self, content: bytes | str = b"", headers: dict[str, str] | None = None, **options: Any) -> Any:
        """The same, with the secret."""
        return await self.send(content, {"Authorization": f"Bearer {self.secret}", **(headers or {})}, **options)

    async def started(self, content: bytes | str = b"", headers: dict[str, str] | None = None, **options: Any) -> Json:
        """The run that came of it."""
        reply = await self.call(content, headers, **options)
        assert reply.status_code == 202, reply.text
        found: Json = reply.json()["data"]
        return found

    async def input(self, content: bytes | str = b"", headers: dict[str, str] | None = None, **options: Any) -> Json:
        """What the run got."""
        run = await self.started(content, headers, **options)
        found: Json = (await self.client.call("/v1/workflows/get_instance", run))["input"]
        return found


async def hook(client: Client, *steps: Json, secret: str | None = None, **fields: Any) -> Hook:
    """A fresh workflow with a URL and its first secret."""
    made = await workflow(client, *(steps or ({**HELLO, "set": {"text": "Hola"}},)), **ON_WEBHOOK, **fields)
    asked = {"workflow_id": made["id"], **({"secret": secret} if secret else {})}
    rotated = await client.call("/v1/workflows/rotate_hook_secret", asked)
    return Hook(client, made, urlsplit(rotated["url"]).path, rotated["secret"])


def bearer(secret: str, _body: bytes, _at: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(secret: str, _body: bytes, _at: int) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'anybody:{secret}'.encode()).decode()}"}


def plain(secret: str, _body: bytes, _at: int) -> dict[str, str]:
    return {"X-BiVelio-Secret": secret}


def standard(secret: str, body: bytes, at: int, prefix: str = "webhook") -> dict[str, str]:
    """As the library of Standard Webhooks signs."""
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body.decode())
    return {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(at), f"{prefix}-signature": f"v1a,x {signature}"}


def svix(secret: str, body: bytes, at: int) -> dict[str, str]:
    return standard(secret, body, at, "svix")


def stripe(secret: str, body: bytes, at: int) -> dict[str, str]:
    signature = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={at},v1={'0' * 64},v1={signature},v0=x"}


def github(secret: str, body: bytes, _at: int) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


def bivelio(secret: str, body: bytes, _at: int) -> dict[str, str]:
    return {"X-BiVelio-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


PROOFS: tuple[Proof, ...] = (bearer, basic, plain, standard, svix, stripe, github, bivelio)
SIGNED: tuple[Proof, ...] = (standard, svix, stripe, github, bivelio)
TIMED: tuple[Proof, ...] = (standard, svix, stripe)
