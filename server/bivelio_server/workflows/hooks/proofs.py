"""How a request proves that its sender knows the hook's secret. One way suffices; all comparisons take constant time.

    Authorization: Bearer <secret>            the secret itself
    Authorization: Basic <user>:<secret>      likewise, for senders that take nothing but https://user:secret@…
    X-BiVelio-Secret: <secret>                likewise
    webhook-signature, webhook-id, …          Standard Webhooks (svix-… too): HMAC of id, time and body
    Stripe-Signature: t=…,v1=…                HMAC of time and body
    X-Hub-Signature-256: sha256=…             HMAC of the body, as GitHub and Meta send it
    X-BiVelio-Signature: …                    HMAC of the body, as this server itself sends it

A signature that covers a time counts within five minutes of it.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bivelio_server.workflows.hooks.secrets import PREFIX

TOLERANCE_SECONDS: Final = 300


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` by their names in lower case; `now` is the time of other machines."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime

    def is_fresh(self, timestamp: str) -> bool:
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            return False
        return abs(self.now.timestamp() - int(timestamp)) <= TOLERANCE_SECONDS


def is_proven(request: Request, secrets: Iterable[str]) -> bool:
    """Whether the sender knows one of these secrets."""
    return any(check(request, secret) for secret in secrets for check in _CHECKS)


def _bearer(request: Request, secret: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and _same(given.strip(), secret)


def _basic(request: Request, secret: str) -> bool:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        pair = base64.b64decode(given.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(pair.partition(b":")[2], secret.encode())


def _plain(request: Request, secret: str) -> bool:
    return _same(request.headers.get("x-bivelio-secret", ""), secret)


def _standard(request: Request, secret: str) -> bool:
    key = _standard_key(secret)
    for prefix in ("webhook", "svix"):
        message_id, timestamp, given = (
            request.headers.get(f"{prefix}-{name}", "") for name in ("id", "timestamp", "signature")
        )
        if request.is_fresh(timestamp):
            signed = b".".join((message_id.encode(), timestamp.encode(), request.body))
            expected = base64.b64encode(_hmac(key, signed)).decode()
            if _any(expected, (part.removeprefix("v1,") for part in given.split(" ") if part.startswith("v1,"))):
                return True
    return False


def _stripe(request: Request, secret: str) -> bool:
    parts = [part.strip().partition("=") for part in request.headers.get("stripe-signature", "").split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    if not request.is_fresh(timestamp):
        return False
    expected = _hmac(secret.encode(), timestamp.encode() + b"." + request.body).hex()
    return _any(expected, (value for name, _, value in parts if name == "v1"))


def _hub(request: Request, secret: str) -> bool:
    given = request.headers.get("x-hub-signature-256", "")
    return given.startswith("sha256=") and _same(given.removeprefix("sha256="), _body_signature(request, secret))


def _own(request: Request, secret: str) -> bool:
    given = (request.headers.get(f"x-bivelio-signature{which}", "") for which in ("", "-new"))
    return _any(_body_signature(request, secret), given)


_CHECKS: Final[tuple[Callable[[Request, str], bool], ...]] = (_bearer, _basic, _plain, _standard, _stripe, _hub, _own)


def _standard_key(secret: str) -> bytes:
    """The base64 after `whsec_`; a secret that is none keys with its text."""
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return secret.encode()


def _body_signature(request: Request, secret: str) -> str:
    return _hmac(secret.encode(), request.body).hex()


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _any(expected: str, given: Iterable[str]) -> bool:
    return any(_same(one, expected) for one in _few(given))


def _few(given: Iterable[str]) -> Iterator[str]:
    """Nobody sends more than some signatures in a header."""
    for _, one in zip(range(8), given, strict=False):
        yield one


def _same(given: str, expected: str) -> bool:
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())
