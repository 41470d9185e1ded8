"""What goes over the wire: the body of a message and the headers that prove where it comes from."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime

from bivelio_server.kit import json
from bivelio_server.webhooks.secrets import Signers, SigningSecrets


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one endpoint. `body` is the same in every attempt."""

    delivery_id: str
    event: str
    body: bytes


def render_body(event: str, occurred_at: datetime, webhook_id: str, data: json.JSONValue) -> bytes:
    return json.dumps({"event": event, "timestamp": occurred_at, "webhook_id": webhook_id, "data": data})


def signed_headers(message: Message, signers: Signers, now: datetime) -> dict[str, str]:
    """The headers of an attempt made `now`: the printed signature of the body, and those of Standard Webhooks.

    While a rotation's grace lasts, receivers that know the old secret and those that know the new one must both find
    theirs: the printed header keeps the old one, a second has the new one, the standard header carries both.
    """
    timestamp = str(int(now.timestamp()))
    signed = f"{message.delivery_id}.{timestamp}.".encode() + message.body
    secrets = [signers.present] if signers.previous is None else [signers.present, signers.previous]
    headers = {
        "Content-Type": "application/json",
        "webhook-id": message.delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_standard_signature(one, signed) for one in secrets),
        "X-BiVelio-Event": message.event,
        "X-BiVelio-Signature": _printed_signature(secrets[-1], message.body),
    }
    if signers.previous is not None:
        headers["X-BiVelio-Signature-New"] = _printed_signature(signers.present, message.body)
    return headers


def _standard_signature(secrets: SigningSecrets, signed: bytes) -> str:
    return "v1," + base64.b64encode(_digest(secrets.standard_key, signed)).decode()


def _printed_signature(secrets: SigningSecrets, body: bytes) -> str:
    return _digest(secrets.signing.encode(), body).hex()


def _digest(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
