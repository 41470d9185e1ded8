"""A backup holds every stored file that its rows refer to, whatever goes meanwhile."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import anyio.to_thread
import psycopg
import pytest
from psycopg.types.json import Jsonb

from bivelio_server.installation import Installation as Opened
from bivelio_server.installation import installation
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.storage import Storage, StorageKey
from bivelio_server.settings import Settings
from bivelio_server.storage import FilesOnDisk
from bivelio_server.upkeep import backup
from bivelio_server.upkeep.archive import Archive, ArchiveWriter
from bivelio_server.upkeep.stored import add_files
from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of, fresh_installation

pytestmark = pytest.mark.anyio

RUNS = 6


@contextmanager
def opened(place: Installation) -> Iterator[Opened]:
    with installation(Settings(data_dir=place.data)) as here:
        yield here


def files_of(place: Installation) -> dict[str, bytes]:
    folder = place.data / "files"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".drafts" not in path.parts
    }


async def runs_with_files(place: Installation, template: Template) -> list[str]:
    """Their ids, each with an output that is a stored file."""
    server = await place.serve(BIVELIO_WORKER_SLOTS="1")
    step = {"id": "made", "set": {"text": "x"}}
    async with client_of(server, template.live_key) as client:
        workflow = await client.call("/v1/workflows/create", {"name": "Large", "steps": [step]})
        runs = [
            (await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"], "async": False}))["instance_id"]
            for _ in range(RUNS)
        ]
    storage = FilesOnDisk(place.data / "files")
    with psycopg.connect(place.database(), autocommit=True) as owner:
        row = owner.execute("select org_id from workflow_instances limit 1").fetchone()
        assert row is not None
        for run in runs:
            key = StorageKey.of(row[0], "live", "runs", new_id("file"))
            stored = await storage.put(key, json.dumps({"text": run * 2000}).encode())
            owner.execute("update workflow_instances set output_ref = %s where id = %s", (Jsonb(stored.as_json()), run))
    server.terminate()
    await server.ended()
    return runs


async def test_files_are_restored_with_their_rows(place: Installation, template: Template) -> None:
    await runs_with_files(place, template)
    file = place.folder / "it.backup"

    backed_up = place.run("backup", str(file))
    verified = place.run("restore", str(file), "--verify")
    with fresh_installation() as other:
        restored = other.run("restore", str(file))
        found = files_of(other)
        modes = {path.stat().st_mode & 0o077 for path in (other.data / "files").rglob("*")}

    assert f"{RUNS} files" in backed_up.stdout, backed_up.stderr
    assert f"files: {RUNS} stored files, each as its row says" in verified.stdout, verified.stderr
    assert restored.returncode == 0, restored.stderr
    assert found == files_of(place)
    assert modes == {0}


async def test_a_file_that_is_lost_is_told_and_holds_up_nothing(place: Installation, template: Template) -> None:
    await runs_with_files(place, template)
    first, second, *_ = sorted(files_of(place))
    (place.data / "files" / first).unlink()
    (place.data / "files" / second).write_bytes(b"damaged")
    file = place.folder / "it.backup"

    backed_up = place.run("backup", str(file))
    verified = place.run("restore", str(file), "--verify")
    doctor = place.run("doctor")

    assert f"{RUNS - 2} files" in backed_up.stdout
    assert "2 stored files are lost or damaged" in backed_up.stdout
    assert verified.returncode == 0, verified.stderr
    assert f"files: {RUNS - 2} stored files, each as its row says; 2 WERE LOST BEFORE" in verified.stdout
    assert f"such as {first}" in doctor.stdout
    assert doctor.returncode == 1


async def test_what_goes_while_it_is_made_is_in_it(
    place: Installation, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the database's dump and the copying of the files every run is removed."""
    await runs_with_files(place, template)
    file = place.folder / "it.backup"
    meanwhile: list[str] = []

    def remove_all(here: Opened) -> list[str]:
        with psycopg.connect(here.owner_url, autocommit=True) as owner:
            owner.execute("delete from workflow_steps")
            owner.execute("delete from workflow_instances")
            return [key for (key,) in owner.execute("select storage_garbage_keys(100)")]

    def remove_and_add(connection: psycopg.Connection, storage: Storage, archive: ArchiveWriter) -> list[str]:
        meanwhile.extend(remove_all(here))
        return add_files(connection, storage, archive)

    with opened(place) as here:
        monkeypatch.setattr(backup, "add_files", remove_and_add)
        manifest = await anyio.to_thread.run_sync(lambda: backup.back_up(here, file, app_version="test"))
        afterwards = remove_all(here)

    assert (manifest.files, manifest.missing) == (RUNS, [])
    assert Archive(file, None).sha256_of_files.keys() == files_of(place).keys() == set(afterwards)
    assert meanwhile == []
