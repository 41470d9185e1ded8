"""Secrets for tests, and the forms in which they may turn up again."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

#: Its forms all differ.
CANARY = 'sk_canary/7f+3a "91" ñ&<x>'
#: Fit for a header.
PLAIN = "canary-header-5d20aa"


def forms(secret: str) -> list[str]:
    encoded = secret.encode()
    return [
        secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret),
        quote(secret, safe=""), quote_plus(secret), html.escape(secret), encoded.hex(),
        base64.b64encode(encoded).decode(),
    ]  # fmt: skip
