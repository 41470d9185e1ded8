"""No secret reaches a log line."""

import io
import json
import logging

import pytest
import structlog

from bivelio_server.accounts.api_keys import generate_key
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.logging import configure_logging, library_handler, redact

KEY = generate_key("secret", Environment.live).key
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
REFRESH = "v1." + "a-B_" * 10


@pytest.mark.parametrize(
    "secret",
    [KEY, JWT, REFRESH, "whsec_" + "a" * 32],
    ids=["API key", "access token", "refresh token", "signing secret"],
)
def test_masks_secrets_inside_text(secret: str) -> None:
    text = f"refused at https://user:hunter2@example.com with {secret} today"

    logged = json.dumps(redact(None, "info", {"event": text, "nested": {"list": [text]}}))

    assert secret not in logged
    assert "hunter2" not in logged
    assert "refused at https://***@example.com" in logged
    assert "today" in logged


@pytest.mark.parametrize(
    "name", ["password", "X-API-Key", "Authorization", "refresh_token", "signing_secret", "Cookie"]
)
def test_masks_what_a_telling_name_holds(name: str) -> None:
    logged = redact(None, "info", {"event": "x", "headers": {name: "anything"}, name: ["anything"]})

    assert "anything" not in str(logged)


def test_leaves_the_rest_alone() -> None:
    entry = {"event": "request", "status": 200, "organization_id": "3f0c", "milliseconds": 1.5, "actor": "key:key_1"}

    assert redact(None, "info", dict(entry)) == entry


def test_masks_secrets_in_tracebacks(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stderr", written)
    try:
        configure_logging("info")
        fail_with(KEY)
    finally:
        structlog.reset_defaults()

    line = json.loads(written.getvalue())
    assert "ValueError" in line["exception"]
    assert KEY not in written.getvalue()


def fail_with(secret: str) -> None:
    try:
        int(secret)
    except ValueError:
        structlog.get_logger().exception("failed")


def test_what_libraries_log_is_json_and_redacted() -> None:
    text = "cannot connect to postgresql://bivelio:hunter2@localhost/x"
    record = logging.LogRecord("psycopg.pool", logging.WARNING, __file__, 1, text, None, None)

    entry = json.loads(library_handler().format(record))

    assert (entry["logger"], entry["level"]) == ("psycopg.pool", "warning")
    assert "hunter2" not in entry["event"]
