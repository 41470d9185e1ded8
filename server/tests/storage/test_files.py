"""Files on disk: whole or not there, inside their folder, gone without a trace."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from bivelio_server.kit.storage import FileMissing, StorageFailed, StorageKey, fetch, sha256_of
from bivelio_server.storage import FilesOnDisk

pytestmark = pytest.mark.anyio

ORG = UUID("0192d6a4-1111-7000-8000-000000000001")


def key(*parts: str, org_id: UUID = ORG, environment: str = "live") -> StorageKey:
    return StorageKey.of(org_id, environment, *parts)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def files(root: Path) -> FilesOnDisk:
    return FilesOnDisk(root)


async def names(files: FilesOnDisk, prefix: str = "") -> list[str]:
    return sorted([file.key async for file in files.walk(prefix)])


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*")}


async def test_what_was_put_comes_back(files: FilesOnDisk) -> None:
    stored = await files.put(key("runs", "a"), b"content")

    assert (stored.bytes, stored.sha256) == (7, sha256_of(b"content"))
    assert await files.get(stored.key) == b"content"
    assert [piece async for piece in files.open(stored.key)] == [b"content"]
    assert await fetch(files, stored) == b"content"


async def test_a_long_file_comes_and_goes_in_pieces(files: FilesOnDisk) -> None:
    async def content() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 50_000

    stored = await files.put(key("runs", "long"), content())
    pieces = [piece async for piece in files.open(stored.key)]

    assert stored.bytes == 2_000_000
    assert max(map(len, pieces)) < 300_000
    assert sha256_of(b"".join(pieces)) == stored.sha256


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


async def test_a_prefix_is_of_names_and_of_folders(files: FilesOnDisk) -> None:
    other = UUID(int=7)
    for one in (key("runs", "run_1-a"), key("runs", "run_1-b"), key("runs", "run_2-a"), key("runs", "x", org_id=other)):
        await files.put(one, b"content")

    listed = await names(files, key("runs", "run_1"))
    removed = await files.delete_prefix(f"{ORG}/")

    assert listed == [key("runs", "run_1-a"), key("runs", "run_1-b")]
    assert removed == 3
    assert await names(files) == [key("runs", "x", org_id=other)]


async def test_many_come_and_go_at_once(files: FilesOnDisk) -> None:
    """A folder that one removes, being empty, is where another puts its file."""

    async def come_and_go(number: int) -> None:
        for turn in range(20):
            one = key("runs", "same", f"{number}-{turn}")
            await files.put(one, b"content")
            assert await files.get(one) == b"content"
            await files.delete([one])

    await asyncio.gather(*(come_and_go(number) for number in range(6)))

    assert await names(files) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/etc/passwd",
        f"{ORG}/live",
        f"{ORG}/live/",
        f"{ORG}/live/..",
        f"{ORG}/live/../../x",
        f"{ORG}/live/runs/../../../../x",
        f"{ORG}/live//x",
        f"{ORG}/live/x/",
        f"{ORG}/live/./x",
        f"{ORG}/live/.drafts",
        f"{ORG}/live/a\\..\\b",
        f"{ORG}/live/a\0b",
        f"{ORG}/live/a\n",
        f"{ORG}/live/Name",
        f"{ORG}/live/é",
        f"{ORG}/live/a:b",
        f"{ORG}/elsewhere/x",
        f"{ORG}/live/{'x' * 101}",
        "../../live/x",
        f"{ORG}/live/1/2/3/4/5/6/7",
    ],
)
async def test_no_other_text_is_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        StorageKey(text)


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
