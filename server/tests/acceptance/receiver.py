"""A receiver of webhooks, as the documentation tells to write one: it verifies, and dedupes by `webhook-id`."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

#: Below the receiver's URL: an address that wants no more messages.
GONE = "/gone"


class Receiver:
    """`messages` holds the body of each message by its id, `arrivals` counts repetitions too."""

    def __init__(self) -> None:
        self.secret = ""
        self.arrivals = 0
        self.messages: dict[str, dict[str, Any]] = {}
        self.complaints: list[str] = []
        self._bodies: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer."""
        try:
            Webhook(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.complaints.append(f"not verified: {error}")
            return 401
        message_id = headers["webhook-id"]
        with self._lock:
            self.arrivals += 1
            if self._bodies.setdefault(message_id, body) != body:
                self.complaints.append(f"{message_id} has changed")
            self.messages[message_id] = json.loads(body)
        return 204

    def of(self, event: str) -> list[dict[str, Any]]:
        """The data of each message about this event."""
        with self._lock:
            return [body["data"] for body in self.messages.values() if body["event"] == event]


@contextmanager
def receiver() -> Iterator[tuple[Receiver, str]]:
    """A listening receiver and its URL."""
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed half-way: there is nobody to answer and nothing to verify
                self.close_connection = True
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(410 if self.path.endswith(GONE) else kept.take(body, headers))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test tells."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A sender that is killed breaks its connection off."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield kept, f"http://127.0.0.1:{server.server_port}/hooks"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
