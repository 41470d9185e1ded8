"""What goes over the wire: the body of a message and the headers that prove where it comes from."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bivelio_server.kit import json
from bivelio_server.webhooks.secrets import SigningSecrets


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one endpoint. `body` is the same in every attempt."""

    delivery_id: str
    event: str
    body: bytes


def render_body(event: str, occurred_at: datetime, webhook_id: str, data: json.JSONValue) -> bytes:
    return json.dumps({"event": event, "timestamp": occurred_at, "webhook_id": webhook_id, "data": data})


def signed_headers(message: Message, secrets: SigningSecrets, now: datetime) -> Mapping[str, str]:
    """The headers of an attempt made `now`: the printed signature of the body, and those of Standard Webhooks."""
    timestamp = str(int(now.timestamp()))
    signed = f"{message.delivery_id}.{timestamp}.".encode() + message.body
    standard = base64.b64encode(_digest(secrets.standard_key, signed)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message.delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{standard}",
        "X-BiVelio-Event": message.event,
        "X-BiVelio-Signature": _digest(secrets.signing.encode(), message.body).hex(),
    }


def _digest(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, hashlib.sha256)
