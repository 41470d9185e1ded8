"""A backup is the installation as it was at one moment, and what is made of it serves on."""

import itertools
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psycopg
import pytest

from bivelio_server.installation import Installation as Opened
from bivelio_server.installation import installation
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, ServerAddress, libpq_url
from bivelio_server.kit.postgres_process import binary
from bivelio_server.settings import Settings
from bivelio_server.upkeep.archive import Archive, BackupError
from bivelio_server.upkeep.backup import back_up
from bivelio_server.upkeep.postgres_tools import restore_dump
from bivelio_server.upkeep.restore import SERVING_ROLE
from tests.acceptance.conftest import Template
from tests.acceptance.installation import EMAIL, PASSWORD, Installation, Process, client_of, fresh_installation, until

pytestmark = pytest.mark.anyio

BACKUPS = int(os.environ.get("BIVELIO_BACKUPS", "6"))
CLIENTS = 4
PAUSE_SECONDS = 0.03
#: What one request commits together, counted the same in every snapshot.
CONSISTENT = """
    select (select count(*) from contacts),
           (select count(*) from contacts c join events e using (org_id, environment)
             where e.event = 'contact.created' and e.data ->> 'id' = c.id),
           (select count(*) from events e join webhook_deliveries d using (org_id, environment)
             where d.event_id = e.id),
           (select count(*) from contacts c join audit_log a
                on a.org_id = c.org_id and a.resource_type = 'contacts' and a.resource_id = c.id)
"""


@contextmanager
def opened(place: Installation) -> Iterator[Opened]:
    with installation(Settings(data_dir=place.data)) as here:
        yield here


@asynccontextmanager
async def writing(server: Process, key: str, answered: list[str]) -> AsyncIterator[None]:
    """Contacts are created without a pause; `answered` has the ids of those that the server said were."""

    async def write(number: int) -> None:
        async with client_of(server, key) as client:
            for count in itertools.count():
                await anyio.sleep(PAUSE_SECONDS)
                answered.append((await client.call("/v1/contacts/create", {"name": f"{number}-{count}"}))["id"])

    async with anyio.create_task_group() as tasks:
        for number in range(CLIENTS):
            tasks.start_soon(write, number)
        yield
        tasks.cancel_scope.cancel()


async def test_every_backup_under_load_is_one_moment(place: Installation, template: Template) -> None:
    server = await place.serve()
    async with client_of(server, template.live_key) as client:
        await client.call("/v1/webhooks/create", {"url": "https://127.0.0.1:9", "events": ["contact.created"]})
    answered: list[str] = []
    found: list[tuple[int, ...]] = []
    with opened(place) as here, EmbeddedPostgres(place.folder / "scratch", fsync=False) as scratch:
        async with writing(server, template.live_key, answered):
            await until(lambda: len(answered) > CLIENTS)
            for number in range(BACKUPS):
                before = list(answered)
                file = place.folder / f"{number}.backup"
                await anyio.to_thread.run_sync(lambda file=file: back_up(here, file, app_version="test"))
                found.append(await anyio.to_thread.run_sync(_restored, scratch, file, number, before))

    assert len(found) == BACKUPS
    assert found[0][0] > 0
    assert found[-1][0] > found[0][0]
    assert [counts for counts in found if len(set(counts)) > 1] == []


def _restored(scratch: ServerAddress, file: Path, number: int, expected: list[str]) -> tuple[int, ...]:
    """The counts in a database of its own; all that was acknowledged before the backup began must be there."""
    name = f"restored_{number}"
    url = libpq_url(scratch.owner_url(name))
    with psycopg.connect(libpq_url(scratch.superuser_url()), autocommit=True) as connection:
        connection.execute(SERVING_ROLE)
        connection.execute(f"create database {name} owner bivelio_owner")
        restore_dump(url, Archive(file, None).database())
        with psycopg.connect(url) as restored:
            counts = restored.execute(CONSISTENT).fetchone()
            missing = restored.execute(
                "select count(*) from unnest(%s::text[]) as e (id) where not exists"
                " (select from contacts c where c.id = e.id)",
                (expected,),
            ).fetchone()
        connection.execute(f"drop database {name}")
    assert missing == (0,)
    assert counts is not None
    return tuple(counts)


async def test_a_restored_installation_serves_keys_tokens_and_secrets_as_before(
    place: Installation, template: Template
) -> None:
    server = await place.serve()
    async with client_of(server, template.live_key) as client:
        made = await client.call("/v1/contacts/create", {"name": "Kept"})
        await client.call("/v1/webhooks/create", {"url": "https://example.com", "events": ["contact.created"]})
        tokens = await _sign_in(client.http, template)
    passphrase = place.folder / "passphrase"
    passphrase.write_text("a phrase for the backup\n")
    file = place.folder / "it.backup"
    sealed = ["--passphrase-file", str(passphrase)]

    backed_up = place.run("backup", str(file), *sealed)
    verified = place.run("restore", str(file), "--verify", *sealed)
    with fresh_installation() as other:
        restored = other.run("restore", str(file), *sealed)
        again = other.run("restore", str(file), *sealed)
        second = await other.serve()
        async with client_of(second, template.live_key) as client:
            contact = await client.call("/v1/contacts/get", {"id": made["id"]})
            bearer = await client.http.post(
                "/v1/contacts", headers={"Authorization": f"Bearer {tokens['access_token']}"}, json={}
            )
            renewed = await client.http.post(
                "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": tokens["refresh_token"]}
            )

    assert backed_up.returncode == 0, backed_up.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert (place.data / "secret.key").read_bytes() not in file.read_bytes()
    assert verified.returncode == 0, verified.stderr
    assert "key: opens all 1 stored secrets" in verified.stdout
    assert "The backup can be restored." in verified.stdout
    assert restored.returncode == 0, restored.stderr
    assert (again.returncode, "is not empty" in again.stderr) == (1, True)
    assert contact["name"] == "Kept"
    assert (bearer.status_code, renewed.status_code) == (200, 200)


async def _sign_in(http: Any, template: Template) -> dict[str, Any]:
    reply = await http.post(
        "/v1/auth/token?grant_type=password",
        json={"email": EMAIL, "password": PASSWORD},
        headers={"apikey": template.publishable_key},
    )
    assert reply.status_code == 200
    tokens: dict[str, Any] = reply.json()
    return tokens


def test_the_schema_comes_back_to_the_letter(place: Installation) -> None:
    file = place.folder / "it.backup"
    assert place.run("backup", str(file)).returncode == 0
    with fresh_installation() as other:
        assert other.run("restore", str(file)).returncode == 0
        with opened(place) as source, opened(other) as target:
            assert _schema(source) == _schema(target)


def _schema(here: Opened) -> list[str]:
    command = [binary("pg_dump"), "--schema-only", f"--dbname={here.owner_url}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, env={"PATH": os.defpath}).stdout
    return [line for line in text.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


@pytest.mark.parametrize("passphrase", [None, "phrase"])
def test_a_damaged_backup_is_refused(place: Installation, passphrase: str | None) -> None:
    file, damaged = place.folder / "it.backup", place.folder / "damaged.backup"
    with opened(place) as here:
        back_up(here, file, app_version="test", passphrase=passphrase)
    content = file.read_bytes()

    for broken in (
        content[: len(content) // 2],
        content[:-30000],
        content[:3000] + bytes([content[3000] ^ 1]) + content[3001:],
        b"",
        b"nonsense" * 1000,
    ):
        damaged.write_bytes(broken)
        with pytest.raises(BackupError, match=r"no backup|damaged"):
            Archive(damaged, passphrase)


def test_a_sealed_backup_needs_its_passphrase(place: Installation) -> None:
    file = place.folder / "it.backup"
    with opened(place) as here:
        back_up(here, file, app_version="test", passphrase="the right one")

    assert Archive(file, "the right one").manifest.rows["public.organizations"] == 1
    with pytest.raises(BackupError, match="give its passphrase"):
        Archive(file, None)
    with pytest.raises(BackupError, match="does not open"):
        Archive(file, "another one")


def test_without_its_key_a_backup_needs_the_one_kept_elsewhere(place: Installation) -> None:
    file = place.folder / "it.backup"
    key = (place.data / "secret.key").read_text().strip()
    assert place.run("backup", str(file), "--without-key").returncode == 0
    assert key.encode() not in file.read_bytes()

    with fresh_installation() as other:
        without = other.run("restore", str(file))
    with fresh_installation(None, BIVELIO_SECRET_KEY="w" * 40) as other:
        wrong = other.run("restore", str(file))
    with fresh_installation(None, BIVELIO_SECRET_KEY=key) as other:
        right = other.run("restore", str(file))

    assert "give it as BIVELIO_SECRET_KEY" in without.stderr
    assert "is not the one of this database" in wrong.stderr
    assert (without.returncode, wrong.returncode, right.returncode) == (1, 1, 0), right.stderr
