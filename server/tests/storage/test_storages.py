"""What every storage does, on a disk and in a bucket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from bivelio_server.kit.storage import FileMissing, Storage, StorageKey, fetch, sha256_of
from bivelio_server.storage import FilesOnDisk
from tests.storage.arranging import ORG, key, names
from tests.storage.buckets import fresh_bucket

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["disk", "s3"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "disk":
        return FilesOnDisk(tmp_path / "files")
    return fresh_bucket(request.getfixturevalue("s3_server"))


async def test_what_was_put_comes_back(files: Storage) -> None:
    stored = await files.put(key("runs", "a"), b"content")

    assert (stored.bytes, stored.sha256) == (7, sha256_of(b"content"))
    assert await files.get(stored.key) == b"content"
    assert [piece async for piece in files.open(stored.key)] == [b"content"]
    assert await fetch(files, stored) == b"content"


async def test_a_long_file_comes_and_goes_in_pieces(files: Storage) -> None:
    async def content() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 50_000

    stored = await files.put(key("runs", "long"), content())
    pieces = [piece async for piece in files.open(stored.key)]

    assert stored.bytes == 2_000_000
    assert max(map(len, pieces)) < 300_000
    assert sha256_of(b"".join(pieces)) == stored.sha256


async def test_a_prefix_is_of_names_and_of_folders(files: Storage) -> None:
    other = UUID(int=7)
    for one in (key("runs", "run_1-a"), key("runs", "run_1-b"), key("runs", "run_2-a"), key("runs", "x", org_id=other)):
        await files.put(one, b"content")

    listed = await names(files, key("runs", "run_1"))
    removed = await files.delete_prefix(f"{ORG}/")

    assert listed == [key("runs", "run_1-a"), key("runs", "run_1-b")]
    assert removed == 3
    assert await names(files) == [key("runs", "x", org_id=other)]


async def test_many_come_and_go_at_once(files: Storage) -> None:
    """A folder that one removes, being empty, is where another puts its file."""

    turns = 20 if isinstance(files, FilesOnDisk) else 2

    async def come_and_go(number: int) -> None:
        for turn in range(turns):
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


async def test_a_part_of_a_file(files: Storage) -> None:
    content = bytes(range(256)) * 4000
    stored = await files.put(key("documents", "a"), content)

    async def part(start: int, end: int | None) -> bytes:
        return b"".join([piece async for piece in files.open(stored.key, start, end)])

    assert await part(0, 1) == content[:1]
    assert await part(300_000, 700_001) == content[300_000:700_001]
    assert await part(1_023_990, None) == content[1_023_990:]


async def test_an_empty_file_is_a_file(files: Storage) -> None:
    stored = await files.put(key("runs", "empty"), b"")

    assert [piece async for piece in files.open(stored.key)] in ([], [b""])
    assert await fetch(files, stored) == b""


async def test_what_is_put_again_takes_the_place_of_what_was_there(files: Storage) -> None:
    await files.put(key("runs", "a"), b"first")
    stored = await files.put(key("runs", "a"), b"second")

    assert await fetch(files, stored) == b"second"


async def test_what_is_not_there_is_missing(files: Storage) -> None:
    with pytest.raises(FileMissing):
        await files.get(key("runs", "nothing"))
    with pytest.raises(FileMissing):
        await anext(files.open(key("runs", "nothing")))
    await files.delete([key("runs", "nothing")])


async def test_what_is_deleted_is_gone(files: Storage) -> None:
    for name in ("a", "b", "c"):
        await files.put(key("runs", "today", name), b"content")

    await files.delete([key("runs", "today", "a"), key("runs", "today", "b"), key("runs", "never", "was")])

    assert await names(files) == [key("runs", "today", "c")]


async def test_a_write_that_breaks_off_leaves_no_file(files: Storage) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 1_000_000
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await files.put(key("runs", "a"), broken())

    assert await names(files) == []


async def test_a_walk_tells_size_and_age(files: Storage) -> None:
    stored = await files.put(key("runs", "a"), b"content")

    [listed] = [file async for file in files.walk(f"{ORG}/live/")]

    assert (listed.key, listed.bytes) == (stored.key, 7)
    assert listed.modified_at.tzinfo is not None


@pytest.mark.parametrize("prefix", ["../", "/", "/etc/", f"{ORG}/../../", ".drafts/", "./", f"{ORG}//"])
async def test_a_prefix_leads_nowhere_else(files: Storage, prefix: str) -> None:
    stored = await files.put(key("runs", "a"), b"content")

    assert await names(files, prefix) == []
    assert await files.delete_prefix(prefix) == 0
    assert await names(files) == [stored.key]
