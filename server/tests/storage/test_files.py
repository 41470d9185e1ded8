"""Files on disk: whole or not there, inside their folder, gone without a trace."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bivelio_server.kit.storage import FileMissing, StorageFailed, fetch
from bivelio_server.storage import FilesOnDisk
from tests.storage.arranging import ORG, key, names

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(root: Path) -> FilesOnDisk:
    return FilesOnDisk(root)


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


async def test_only_the_account_of_the_server_may_read_it(files: FilesOnDisk, root: Path) -> None:
    stored = await files.put(key("runs", "a"), b"content")

    path = root / stored.key
    modes = {place.stat().st_mode & 0o077 for place in (path, *list(path.parents)[:3])}
    assert modes == {0}


async def test_a_write_that_breaks_off_leaves_nothing(files: FilesOnDisk, root: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await files.put(key("runs", "a"), broken())

    assert everything(root) == {".drafts"}
    with pytest.raises(FileMissing):
        await files.get(key("runs", "a"))


async def test_what_a_killed_process_left_is_forgotten_later(files: FilesOnDisk, root: Path) -> None:
    await files.put(key("runs", "a"), b"content")
    (root / ".drafts" / "half").write_bytes(b"half")

    soon = await files.forget_drafts(datetime.now(UTC) - timedelta(hours=1))
    later = await files.forget_drafts(datetime.now(UTC) + timedelta(hours=1))

    assert (soon, later) == (0, 1)
    assert await names(files) == [key("runs", "a")]


async def test_what_goes_takes_its_empty_folders_along(files: FilesOnDisk, root: Path) -> None:
    for name in ("a", "b"):
        await files.put(key("runs", "today", name), b"content")
    await files.put(key("documents", "c"), b"content")

    await files.delete([key("runs", "today", "a"), key("runs", "today", "b"), key("runs", "never", "was")])

    assert await names(files) == [key("documents", "c")]
    assert everything(root) == {".drafts", f"{ORG}", f"{ORG}/live", f"{ORG}/live/documents", f"{ORG}/live/documents/c"}


@pytest.mark.parametrize("prefix", ["../", "/", "/etc/", f"{ORG}/../../", ".drafts/", "./"])
async def test_a_prefix_leads_nowhere_else(files: FilesOnDisk, root: Path, prefix: str) -> None:
    stored = await files.put(key("runs", "a"), b"content")
    (root.parent / "outside").write_text("not ours")
    (root / "foreign").write_text("not ours")

    assert await names(files, prefix) == []
    assert await files.delete_prefix(prefix) == 0
    assert await names(files) == [stored.key]
    assert (root.parent / "outside").exists()


async def test_a_damaged_file_is_as_good_as_none(files: FilesOnDisk, root: Path) -> None:
    stored = await files.put(key("runs", "a"), b"content")
    (root / stored.key).write_bytes(b"CONTENT")

    with pytest.raises(FileMissing):
        await fetch(files, stored)


@pytest.fixture
def no_folder(root: Path) -> Path:
    root.write_text("a file")
    return root


async def test_a_folder_that_cannot_be_written_to_is_a_failure_that_passes(no_folder: Path) -> None:
    with pytest.raises(StorageFailed):
        await FilesOnDisk(no_folder).put(key("runs", "a"), b"content")
