"""Nothing secret is ever written down in plain: not to the logs, not to the database, not to traces or figures. Nor
does anything that a caller sends become a line of a log."""

import base64
import os
import subprocess
from itertools import cycle
from typing import Any
from urllib.parse import quote

import anyio
import pyotp
import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.postgres_process import binary
from bivelio_server.kit.versions import HEADER
from tests.acceptance.collector import collecting
from tests.acceptance.conftest import Template
from tests.acceptance.installation import EMAIL, Installation, client_of
from tests.acceptance.receiver import receiver
from tests.world import Client

pytestmark = pytest.mark.anyio

PASSWORD = "canary-password-7f3a91"
ANAS_PASSWORD = "canary-another-person-19d2e7"
WRONG_PASSWORD = "canary-wrong-password-c81e55"
WEBHOOK_SECRET = "canary-webhook-secret-4b20d6"
SHORT_SECRET = "canary-4b20d6"
STEP_SECRET = "canary-step-secret-e05b13"
FORGED = 'x\r\n{"event": "forged", "level": "info"}\r\n'
OPERATIONS = {operation.path: operation.input for operation in Catalogue(FEATURES)}


async def test_no_secret_is_written_down_in_plain(place: Installation, template: Template) -> None:
    place.provision(password=PASSWORD, reset_password=True)
    with receiver() as (_, url), collecting() as collector:
        server = await place.serve(BIVELIO_LOG_LEVEL="debug", BIVELIO_TRACES_ENDPOINT=collector.url)
        async with client_of(server, template.live_key) as client:
            secrets = [PASSWORD, WRONG_PASSWORD, WEBHOOK_SECRET, SHORT_SECRET, template.live_key, template.test_key]
            secrets += await _sign_in(client, template)
            secrets += await _register_webhooks(client, url)
            secrets += await _make_key(client)
            secrets += await _invite(client)
            secrets += await _turn_on_second_factor(client)
            secrets += await _start_from_outside(client, url)
            inspected = await _run_workflow(client)
            await _fail(client, secrets)
            place.kill_database()
            await _fail(client, secrets)
            await server.ready()
            figures = (await client.http.get("/metrics")).text
        dump = _dump(place)
        server.terminate()
        await server.ended()
        logs = place.output() + (place.data / "postgres" / "log").read_text()
        traces = collector.sent.decode(errors="replace")

    assert len(set(secrets)) == 29
    assert '"status": 400' in logs
    assert '"status": 401' in logs
    assert EMAIL in dump
    assert "keys.revoke" in traces
    for written in (logs, dump, traces, inspected, figures):
        assert [secret for secret in secrets if _found(secret, written)] == []


async def test_nobody_forges_a_line_of_a_log(place: Installation, template: Template) -> None:
    server = await place.serve(BIVELIO_LOG_LEVEL="debug")
    async with client_of(server, template.live_key) as client:
        for path in (*OPERATIONS, "/v1/auth/token?grant_type=password"):
            model = OPERATIONS.get(path)
            data = dict.fromkeys(model.model_fields, FORGED) if model else {}
            await client.http.post(path, json={"data": {**data, FORGED: FORGED}, FORGED: FORGED})
            await client.http.post(path, json={"action": FORGED, "data": data}, headers=client.headers)
            await client.post(path, data)
        for name in ("X-API-Key", "X-Request-Id", "Accept-Language", "traceparent", HEADER, "Content-Type"):
            forged = {**client.headers, name: FORGED.replace("\r\n", "\x85").encode()}
            await client.http.post("/v1/contacts", headers=forged)
        await client.http.post(f"/v1/{quote(FORGED)}?{quote(FORGED)}={quote(FORGED)}")
        place.kill_database()
        await client.http.post("/v1/contacts/create", json={"data": {"name": FORGED}}, headers=client.headers)
        await server.ready()
    logs = place.output() + (place.data / "postgres" / "log").read_text()

    assert len([line for line in logs.splitlines() if '"operation": "contacts.create"' in line]) >= 3
    assert [line for line in logs.splitlines() if line.lstrip().startswith('{"event": "forged"')] == []


async def _sign_in(client: Client, template: Template) -> list[str]:
    headers = {"apikey": template.publishable_key}
    grant = {"email": EMAIL, "password": PASSWORD}
    reply = await client.http.post("/v1/auth/token?grant_type=password", json=grant, headers=headers)
    tokens = reply.json()
    renewed = await client.http.post(
        "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": tokens["refresh_token"]}, headers=headers
    )
    return [tokens["access_token"], tokens["refresh_token"], renewed.json()["refresh_token"]]


async def _register_webhooks(client: Client, url: str) -> list[str]:
    given = {"url": url, "events": ["contact.created"], "secret": WEBHOOK_SECRET}
    own = await client.call("/v1/webhooks/create", given)
    made = await client.call("/v1/webhooks/create", {"url": url, "events": ["contact.created"]})
    await client.call("/v1/webhooks/test", {"webhook_id": own["webhook_id"]})
    await client.call("/v1/contacts/create", {"name": "Announced"})
    return [own["standard_secret"], made["signing_secret"]]


async def _make_key(client: Client) -> list[str]:
    of_boxes: str = (await client.call("/v1/boxes/keys/create", {"name": "Canary"}))["key"]
    await client.http.get("/api/public/v1/check", headers={"Authorization": f"Bearer {of_boxes}"})
    return [(await client.call("/v1/keys/create", {"name": "Canary"}))["key"], of_boxes]


async def _run_workflow(client: Client) -> str:
    """What the inspector shows of a run that sent a signed message."""
    [*_, endpoint] = (await client.call("/v1/webhooks/list"))["webhooks"]
    steps = [{"id": "try", "uses": "webhooks.test", "with": {"webhook_id": endpoint["webhook_id"]}}]
    made = await client.call("/v1/workflows/create", {"name": "Watch", "steps": steps})
    run = await client.call("/v1/workflows/execute", {"workflow_id": made["id"], "input": {}, "async": False})
    assert run["status"] == "completed"
    return str(await client.call("/v1/workflows/get_instance", {"instance_id": run["instance_id"]}))


async def _start_from_outside(client: Client, url: str) -> list[str]:
    """A run that a hook has started, and that sends a secret of its own."""
    await client.call("/v1/workflows/set_secret", {"name": "TOKEN", "value": STEP_SECRET})
    request = {
        "url": url,
        "method": "POST",
        "headers": {"X-Token": "{{ secrets.TOKEN }}"},
        "body": "{{ secrets.TOKEN }}",
    }
    steps = [{"id": "send", "http_request": request, "retry": {"attempts": 1}, "on_error": "continue"}]
    made = await client.call("/v1/workflows/create", {"name": "x", "trigger": {"type": "webhook"}, "steps": steps})
    hook = await client.call("/v1/workflows/rotate_hook_secret", {"workflow_id": made["id"]})
    proof = {"Authorization": f"Bearer {hook['secret']}"}
    reply = await client.http.post(hook["url"], json={"echo": hook["secret"]}, headers=proof)
    assert reply.status_code == 202
    run, found = reply.json()["data"], {"finished_at": None}
    with anyio.fail_after(60):
        while found["finished_at"] is None:
            await anyio.sleep(0.05)
            found = await client.call("/v1/workflows/get_instance", run)
    return [STEP_SECRET, hook["secret"]]


async def _invite(client: Client) -> list[str]:
    invitation = await client.call("/v1/members/invite", {"email": "ana@example.com", "role": "viewer"})
    answer = {"token": invitation["token"], "password": ANAS_PASSWORD}
    reply = await client.http.post("/v1/auth/invitations/accept", json=answer)
    return [invitation["token"], ANAS_PASSWORD, reply.json()["refresh_token"]]


async def _turn_on_second_factor(client: Client) -> list[str]:
    grant = {"email": "ana@example.com", "password": ANAS_PASSWORD}
    reply = await client.http.post("/v1/auth/token?grant_type=password", json=grant)
    ana = Client(client.http, {"Authorization": f"Bearer {reply.json()['access_token']}"})
    begun = await ana.call("/v1/account/begin_second_factor", {"password": ANAS_PASSWORD})
    code = {"code": pyotp.TOTP(begun["secret"]).now()}
    codes: list[str] = (await ana.call("/v1/account/confirm_second_factor", code))["recovery_codes"]
    return [*codes, begun["secret"]]


async def _fail(client: Client, secrets: list[str]) -> None:
    """Every secret in every place where a caller may put it by mistake."""
    for secret in secrets:
        await client.http.get(f"/v1/contacts?api_key={secret}", headers={"Authorization": f"Basic {secret}"})
        await client.http.post("/v1/contacts", headers={"X-API-Key": f"{secret}x"})
        await client.http.post("/v1/contacts", headers={"Authorization": f"Bearer {secret}x"})
        await client.http.post("/v1/auth/token?grant_type=password", json={"email": EMAIL, "pasword": secret})
        await client.http.post("/v1/auth/token?grant_type=refresh_token", json={"refresh_token": f"{secret}x"})
        await client.http.post("/v1/auth/token", content=f'{{"password": "{secret}"', headers=_JSON)
        await client.http.get(f"/api/public/v1/{secret}", headers={"Authorization": f"Bearer {secret}x"})
        await client.post("/v1/keys/revoke", {"id": secret})
        await client.post("/v1/webhooks/create", {"url": f"https://{secret}@example.com", "events": [secret]})
    for path, model in OPERATIONS.items():
        # One field that does not exist, so that nothing of it is stored.
        given = dict(zip(model.model_fields, cycle(secrets), strict=False))
        await client.post(path, {**given, **{secret: secret for secret in secrets}})
        await client.post(f"{path}/{client.headers['X-API-Key']}?{secrets[-1]}={secrets[-1]}", given)
    await client.http.post("/v1/contacts", headers={"X-Request-Id": client.headers["X-API-Key"]})
    wrong = {"email": EMAIL, "password": WRONG_PASSWORD}
    await client.http.post("/v1/auth/token?grant_type=password", json=wrong)
    short: dict[str, Any] = {"url": "https://example.com", "events": ["contact.created"], "secret": SHORT_SECRET}
    await client.post("/v1/webhooks/create", short)


def _dump(place: Installation) -> str:
    """The whole database, as a backup would hold it."""
    command = [binary("pg_dump"), "--inserts", f"--dbname={place.database(superuser=True)}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.defpath}).stdout


def _found(secret: str, text: str) -> bool:
    """Also as PostgreSQL prints bytes, and in base64."""
    encoded = secret.encode()
    return any(form in text for form in (secret, encoded.hex(), base64.b64encode(encoded).decode().rstrip("=")[:-1]))


_JSON = {"Content-Type": "application/json"}
