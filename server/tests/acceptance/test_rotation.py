"""The secret key is replaced under traffic: nothing fails, nothing is lost, and the old key opens nothing any more."""

import itertools
import os
import random
import subprocess
from collections import Counter
from pathlib import Path

import anyio
import anyio.to_thread
import psycopg
import pytest

from bivelio_server.key_check import sealed_columns, sealed_values
from bivelio_server.kit.postgres_process import binary
from bivelio_server.kit.secrets import Cipher, DecryptionFailed, SecretKey
from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, Process, client_of, until

pytestmark = pytest.mark.anyio

WEBHOOK_SECRET = "canary-webhook-secret-9d41c7"
ENDPOINTS = 30
CLIENTS = 3
PAUSE_SECONDS = 0.02


def keys_of(place: Installation) -> list[str]:
    return (place.data / "secret.key").read_text().split()


def unopened(place: Installation, *keys: str) -> list[str]:
    """The places of stored secrets that none of these keys opens."""
    cipher = Cipher(SecretKey(keys[0], keys[1:]))
    found = []
    with psycopg.connect(place.database()) as connection:
        for column in sealed_columns(connection):
            for stored, row in sealed_values(connection, column):
                try:
                    cipher.decrypt(stored, row=row)
                except DecryptionFailed:
                    found.append(row)
    return found


async def _use(server: Process, key: str, outcomes: Counter[str], *, writes: bool) -> None:
    """Seal secrets, and do what needs none; every reply is counted."""
    async with client_of(server, key) as client:
        hook = {"url": "https://127.0.0.1:9/x", "events": ["contact.created"], "secret": WEBHOOK_SECRET}
        for number in itertools.count():
            await anyio.sleep(PAUSE_SECONDS)
            path, data = ("/v1/webhooks/create", hook) if number % 3 == 0 and writes else ("/v1/contacts", {})
            reply = await client.post(path, data)
            outcomes[f"{path} {reply.status_code}"] += 1
            if path == "/v1/webhooks/create":
                await client.call("/v1/webhooks/delete", {"webhook_id": reply.json()["data"]["webhook_id"]})


async def _arrange(server: Process, template: Template) -> None:
    async with client_of(server, template.live_key) as client:
        for number in range(ENDPOINTS):
            made = {"url": f"https://127.0.0.1:9/{number}", "events": ["contact.updated"], "secret": WEBHOOK_SECRET}
            reply = await client.http.post(
                "/v1/webhooks/create", json={"data": made}, headers={**client.headers, "Idempotency-Key": f"k{number}"}
            )
            assert reply.status_code == 200
        await client.call("/v1/workflows/set_secret", {"name": "TOKEN", "value": WEBHOOK_SECRET})
        steps = [{"id": "made", "set": {"a": 1}}]
        made = await client.call("/v1/workflows/create", {"name": "x", "trigger": {"type": "webhook"}, "steps": steps})
        for _ in range(2):
            await client.call("/v1/workflows/rotate_hook_secret", {"workflow_id": made["id"]})


async def test_under_traffic_no_request_fails_and_every_secret_opens_with_the_new_key(
    place: Installation, template: Template
) -> None:
    old_server = await place.serve()
    await _arrange(old_server, template)
    [old_key] = keys_of(place)
    outcomes: Counter[str] = Counter()
    async with anyio.create_task_group() as traffic:
        for number in range(CLIENTS):
            traffic.start_soon(lambda writes=number == 0: _use(old_server, template.live_key, outcomes, writes=writes))
        rotated = await anyio.to_thread.run_sync(place.run, "rotate-key")
        new_server = await place.serve()
        traffic.start_soon(lambda: _use(new_server, template.live_key, outcomes, writes=True))
        seen = sum(outcomes.values())
        await until(lambda: sum(outcomes.values()) > seen + 60)
        too_early = await anyio.to_thread.run_sync(place.run, "rotate-key", "--finish", "--now")
        traffic.cancel_scope.cancel()
    old_server.terminate()
    await old_server.ended()
    finished = place.run("rotate-key", "--finish", "--now")
    [new_key] = keys_of(place)
    async with client_of(new_server, template.live_key) as client:
        repeated = await client.http.post(
            "/v1/webhooks/create",
            json={"data": {"url": "https://127.0.0.1:9/0", "events": ["contact.updated"], "secret": WEBHOOK_SECRET}},
            headers={**client.headers, "Idempotency-Key": "k0"},
        )

    assert rotated.returncode == 0, rotated.stderr
    assert "secrets sealed anew" in rotated.stdout
    assert {outcome.rpartition(" ")[2] for outcome in outcomes} == {"200"}, outcomes
    assert "were started with the old key" in too_early.stderr
    assert finished.returncode == 0, finished.stderr
    assert new_key != old_key
    assert unopened(place, new_key) == []
    assert len(unopened(place, old_key)) >= ENDPOINTS
    assert repeated.status_code == 200
    assert repeated.json()["data"]["signing_secret"] == WEBHOOK_SECRET
    assert WEBHOOK_SECRET not in _dump(place)
    assert WEBHOOK_SECRET.encode().hex() not in _dump(place)


def _dump(place: Installation) -> str:
    command = [binary("pg_dump"), "--inserts", f"--dbname={place.database(superuser=True)}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.defpath}).stdout


async def test_a_rotation_killed_anywhere_goes_on(place: Installation, template: Template) -> None:
    server = await place.serve()
    await _arrange(server, template)
    chance = random.Random(7)
    for _ in range(5):
        process = place.start("rotate-key")
        await anyio.sleep(chance.uniform(0.8, 4))
        process.kill()
        assert unopened(place, *keys_of(place)) == []
    server.terminate()
    await server.ended()
    rotated = place.run("rotate-key")
    keys = keys_of(place)
    server = await place.serve()
    server.terminate()
    await server.ended()
    finished = place.run("rotate-key", "--finish", "--now")
    server = await place.serve()

    assert rotated.returncode == 0, rotated.stderr
    assert len(keys) == 2
    assert finished.returncode == 0, finished.stderr
    assert keys_of(place) == keys[:1]
    assert unopened(place, keys[0]) == []
    assert place.run("rotate-key", "--finish").stderr == "bivelio-server: There is no key but the present one.\n"


async def test_access_tokens_are_waited_for(place: Installation) -> None:
    assert place.run("rotate-key").returncode == 0

    early = place.run("rotate-key", "--finish")

    assert early.returncode == 1
    assert "60 minutes more" in early.stderr


def test_a_key_that_is_given_is_replaced_where_it_is_given(place: Installation) -> None:
    old, new = keys_of(place)[0], "n" * 40
    place.environment["BIVELIO_SECRET_KEY"] = old

    told = place.run("rotate-key")
    place.environment |= {"BIVELIO_SECRET_KEY": new, "BIVELIO_PREVIOUS_SECRET_KEYS": old}
    rotated = place.run("rotate-key")
    finished = place.run("rotate-key", "--finish", "--now")
    del place.environment["BIVELIO_PREVIOUS_SECRET_KEYS"]
    alone = place.run("migrate")
    place.environment["BIVELIO_SECRET_KEY"] = old
    wrong = place.run("migrate")

    assert (told.returncode, "BIVELIO_PREVIOUS_SECRET_KEYS" in told.stderr) == (1, True)
    assert [step.returncode for step in (rotated, finished, alone)] == [0, 0, 0], finished.stderr
    assert (wrong.returncode, "is not the one of this database" in wrong.stderr) == (1, True)


async def test_a_wrong_key_serves_nothing(place: Installation, tmp_path: Path) -> None:
    (place.data / "secret.key").write_text("w" * 48)

    refused = place.run("serve")

    assert refused.returncode == 1
    assert refused.stderr.startswith("bivelio-server: The secret key is not the one of this database")
    assert refused.stderr.count("\n") == 1
