"""A receiver of webhooks, as a customer would write one: standard library only."""

import base64
import hashlib
import hmac
import json
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Message:
    """One webhook as it came in. `id` is its `webhook-id`: the same in every attempt to deliver it."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return str(self.content["event"])

    @property
    def content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)
        return content


class Receiver:
    """Listens on this machine while its `with` block lasts, and keeps every message that is what it says it is."""

    def __init__(self) -> None:
        self.messages: dict[str, Message] = {}
        self.arrivals: Counter[str] = Counter()
        self.refused: list[str] = []
        self._secret = ""
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> "Receiver":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/bivelio"

    def trust(self, signing_secret: str) -> None:
        """Accept from now on what is signed with this secret."""
        self._secret = signing_secret

    def accept(self, message: Message) -> bool:
        """Keep a message once, however often it arrives; refuse it when a signature is wrong."""
        with self._lock:
            if not is_genuine(message, self._secret):
                self.refused.append(message.id)
                return False
            self.arrivals[message.id] += 1
            self.messages.setdefault(message.id, message)
            return True

    def received(self) -> dict[str, Message]:
        with self._lock:
            return dict(self.messages)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                if len(body) < length:  # its sender was killed half-way, and will send it again
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                message = Message(headers.get("webhook-id", ""), headers, body)
                self.send_response(204 if receiver.accept(message) else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def handle(self) -> None:
                with suppress(ConnectionResetError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it has in the base class
                """Stay quiet: the story is told elsewhere."""

        return Handler


def is_genuine(message: Message, secret: str) -> bool:
    """Whether both signatures are right: ours over the body, and that of Standard Webhooks over id, time and body."""
    return has_bivelio_signature(message, secret) and has_standard_signature(message, secret)


def has_bivelio_signature(message: Message, secret: str) -> bool:
    expected = hmac.new(secret.encode(), message.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), message.headers.get("x-bivelio-signature", "").encode())


def has_standard_signature(message: Message, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message.id}.{message.headers.get('webhook-timestamp', '')}.".encode() + message.body
    expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    given = message.headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(expected.encode(), signature.encode()) for signature in given)
