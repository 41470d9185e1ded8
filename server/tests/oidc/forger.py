"""A provider that lies as a test tells it to: it signs whatever claims, with whatever key, by whatever algorithm."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})


class Forger:
    """`token` is what the next code is traded for."""

    def __init__(self, issuer: str) -> None:
        self.issuer = issuer
        self.token = ""
        self.forms: list[dict[str, str]] = []

    def sign(self, claims: dict[str, Any], key: RSAKey = KEY, algorithm: str = "RS256") -> None:
        header = {"alg": algorithm, "kid": "one"}
        self.token = jwt.encode(header, claims, key, [algorithm])

    def sign_with_the_public_key(self, claims: dict[str, Any]) -> None:
        """As HS256, whose secret everybody can fetch."""
        signed = f"{_encoded({'alg': 'HS256', 'kid': 'one'})}.{_encoded(claims)}"
        mac = hmac.digest(KEY.as_pem(private=False), signed.encode(), "sha256")
        self.token = f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def leave_unsigned(self, claims: dict[str, Any], algorithm: str = "none") -> None:
        self.token = f"{_encoded({'alg': algorithm, 'kid': 'one'})}.{_encoded(claims)}."


def proves(form: dict[str, str], authorization_url: str) -> bool:
    """Whether the code was traded with the verifier of the challenge that the browser carried."""
    challenge = parse_qs(urlsplit(authorization_url).query)["code_challenge"][0]
    digest = hashlib.sha256(form["code_verifier"].encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


@contextmanager
def forger() -> Iterator[Forger]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.forger = Forger(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.forger  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        issuer = self._forger.issuer
        if self.path == "/keys":
            # A kind of key that nobody knows comes first.
            self._answer({"keys": [{"kty": "XYZ", "kid": "odd"}, KEY.as_dict(private=False)]})
        else:
            self._answer({
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
            })  # fmt: skip

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._forger.forms.append({name: values[0] for name, values in parse_qs(body).items()})
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": self._forger.token})

    @property
    def _forger(self) -> Forger:
        return self.server.forger  # type: ignore[attr-defined]

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _encoded(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
