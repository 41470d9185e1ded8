"""The child process: what it may use, what it cannot reach, and that nothing is left of it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from bivelio_server.reading import process
from bivelio_server.reading.port import Limits, Unreadable
from bivelio_server.reading.process import ChildReader
from tests.reading import files
from tests.reading.conftest import Children

pytestmark = pytest.mark.anyio
T = TypeVar("T")


async def until(look: Callable[[], T]) -> T:
    """What is looked for, as soon as it is there."""
    while not (found := look()):  # noqa: ASYNC110 - other processes set no events of ours
        await asyncio.sleep(0.01)
    return found


@lru_cache
def endless() -> bytes:
    """A small PDF whose only page takes for ever."""
    return files.page_of_content(b"0 0 m 10 10 l S ", 300)


async def test_no_child_is_left_after_a_reading(reader: ChildReader, children: Children) -> None:
    await reader.read(files.pdf())

    assert children() == []


async def test_a_bomb_is_refused_within_seconds_and_the_server_keeps_its_memory(
    reader: ChildReader, children: Children
) -> None:
    bomb = endless()
    before = psutil.Process().memory_info().rss

    with pytest.raises(Unreadable) as refused:
        await reader.read(bomb)

    assert refused.value.constraint == "max_seconds"
    assert refused.value.text.es == "Leer el archivo lleva demasiado tiempo."
    assert psutil.Process().memory_info().rss - before < 20_000_000
    assert children() == []


async def test_a_reading_ends_with_its_time(
    reader: ChildReader, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bivelio_server.reading.process._STARTING", 0.0)

    with pytest.raises(Unreadable) as refused:
        await reader.read(endless(), limits=Limits(seconds=0.5))

    assert refused.value.constraint == "max_seconds"
    assert children() == []


async def test_a_reading_has_only_so_much_memory(reader: ChildReader) -> None:
    with pytest.raises(Unreadable) as refused:
        await reader.read(files.with_attachment("ceros.bin", bytes(200_000_000)), limits=Limits(memory=150_000_000))

    assert refused.value.constraint == "max_memory"


async def test_a_reading_that_is_cancelled_ends_its_child(reader: ChildReader, children: Children) -> None:
    reading = asyncio.create_task(reader.read(endless()))
    child = (await until(children))[0]

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert not child.is_running()


async def test_only_so_many_files_are_read_at_once(children: Children) -> None:
    reader = ChildReader("off", at_once=1)
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(len(children()))
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    readings = await asyncio.gather(*(reader.read(files.pdf()) for _ in range(3)))
    watching.cancel()

    assert len(readings) == 3
    assert max(seen) == 1


async def test_it_tells_how_many_pages_are_read(reader: ChildReader) -> None:
    told: list[tuple[int, int]] = []

    await reader.read(files.pdf(*[files.invoice] * 3), tell=lambda read, pages: told.append((read, pages)))

    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> ChildReader:
    """Its child recognises one page, and takes longer for another than all may without it."""
    monkeypatch.setattr(process, "_STARTING", 0)
    monkeypatch.setattr(process, "_MODULE", "tests.reading.slow_child")
    return ChildReader("off")


async def test_each_page_of_characters_puts_the_end_off(slow: ChildReader) -> None:
    reading = await slow.read(b"scan", limits=Limits(seconds=1, page_seconds=5, most_seconds=10))

    assert reading.text == "slow"


async def test_the_end_is_put_off_only_so_far(slow: ChildReader) -> None:
    with pytest.raises(Unreadable) as refused:
        await slow.read(b"scan", limits=Limits(seconds=1, page_seconds=5, most_seconds=1))

    assert refused.value.constraint == "max_seconds"


READING = """
import asyncio
from tests.reading.test_child import ChildReader, endless
asyncio.run(ChildReader("off").read(endless()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the child watches its pipe there, when it can")
async def test_a_child_ends_with_its_server() -> None:
    """Killed, the server can end nothing itself."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READING, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    found = await until(psutil.Process(server.pid).children)

    server.kill()
    await server.wait()

    gone, _ = await asyncio.to_thread(psutil.wait_procs, found, 10)
    assert gone == found


CONFINED = """
import os, socket, subprocess, sys
from bivelio_server.reading.child.confinement import confine
confine(2 * 1024**3, 60)
for name, act in {
    "network": lambda: socket.socket(),
    "program": lambda: os.execv("/bin/true", ["true"]),
    "signal": lambda: os.kill(os.getppid(), 0),
    "write": lambda: open(sys.argv[1] + "/new", "w"),
    "remove": lambda: os.remove(sys.argv[1] + "/there"),
    "read": lambda: open(sys.argv[1] + "/there"),
}.items():
    try:
        act()
        print(name, "allowed")
    except PermissionError:
        print(name, "refused")
open(os.__file__).close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be asked for this without privileges")
async def test_a_child_has_no_network_and_no_files(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("secreto")

    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", CONFINED, str(tmp_path)], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip

    assert dict(line.split() for line in done.stdout.splitlines()) == dict.fromkeys(
        ("network", "program", "signal", "write", "remove", "read"), "refused"
    )


async def test_a_child_inherits_no_secret(
    reader: ChildReader, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIVELIO_SECRET_KEY", "un secreto")
    reading = asyncio.create_task(reader.read(endless()))
    child = (await until(children))[0]

    environment = await until(child.environ)

    reading.cancel()
    await asyncio.wait([reading])

    assert not any(name.startswith("BIVELIO") for name in environment)
