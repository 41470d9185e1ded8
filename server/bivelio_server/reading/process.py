"""The reader that opens each file in a child process of its own, which ends with it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import anyio
import structlog

from bivelio_server.reading import wire
from bivelio_server.reading.port import Limits, Reading, Tell, Unreadable, to_nobody
from bivelio_server.reading.refusals import refusal
from bivelio_server.settings import Ocr

_MODULE: Final = "bivelio_server.reading.child"
_PIECE: Final = 256 * 1024
_STARTING: Final = 15.0
_logger = structlog.get_logger(__name__)
#: Windows cannot start a process without the first; the others are only where libraries are and how they allocate.
_INHERITED: Final = ("SYSTEMROOT", "LD_LIBRARY_PATH", "LANG")
_TUNING: Final = {"MALLOC_ARENA_MAX": "2", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}


class ChildReader:
    """At most `at_once` children at a time; further readings wait for their turn.

    A process a reading: nothing of one file is left when the next is opened.
    """

    def __init__(self, ocr: Ocr = "small", *, at_once: int = 2) -> None:
        self._ocr = ocr
        self._turns = asyncio.Semaphore(at_once)

    async def read(
        self,
        content: bytes,
        *,
        filename: str | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        tell: Tell = to_nobody,
    ) -> Reading:
        if not content:
            raise refusal("empty")
        if len(content) > limits.bytes:
            raise refusal("max_bytes", allowed=limits.bytes)
        head = wire.framed(wire.request_head(len(content), filename, limits, self._ocr))
        async with self._turns, _child() as child:
            reply = await _exchange(child, head, content, limits, tell)
            if not reply:
                raise await _ended(child)
        return await asyncio.to_thread(_understood, reply)


async def _exchange(
    child: asyncio.subprocess.Process, head: bytes, content: bytes, limits: Limits, tell: Tell
) -> bytes:
    """The reply; empty if the child has ended without. Each page of OCR puts the end off."""
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout_at(began + limits.seconds_after(0) + _STARTING) as deadline:
            await _send(child, head, content)

            def progress(made: wire.Progress) -> None:
                deadline.reschedule(began + limits.seconds_after(made.recognised) + _STARTING)
                tell(made.read, made.pages)

            return await _received(child, limits, progress)
    except TimeoutError:
        raise refusal("max_seconds") from None
    except wire.Garbled as error:
        raise _garbled(error) from None


@asynccontextmanager
async def _child() -> AsyncIterator[asyncio.subprocess.Process]:
    """A child that is gone at the end, however that comes."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-s", "-B", "-m", _MODULE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        env=_environment(), cwd=Path(sys.executable).anchor, start_new_session=True, limit=_PIECE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with anyio.CancelScope(shield=True):
            _kill(process)
            await process.wait()
            assert process.stdin is not None
            process.stdin.close()


def _environment() -> dict[str, str]:
    """None of the server's secrets: only where its own modules are."""
    modules = os.pathsep.join(str(Path(path).absolute()) for path in sys.path if path)
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, **_TUNING, "PYTHONPATH": modules}


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


async def _send(child: asyncio.subprocess.Process, head: bytes, content: bytes) -> None:
    """Everything, unless the child ends before: then its end tells why. Closing the pipe would end the child."""
    assert child.stdin is not None
    with suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(head)
        for start in range(0, len(content), _PIECE):
            child.stdin.write(memoryview(content)[start : start + _PIECE])
            await child.stdin.drain()


async def _received(
    child: asyncio.subprocess.Process, limits: Limits, progress: Callable[[wire.Progress], None]
) -> bytes:
    """The reply. Raises Unreadable, Garbled."""
    assert child.stdout is not None
    for _ in range(limits.pages + 1):
        head = await _head(child.stdout)
        made = wire.progress_of(head[wire.LENGTH :]) if head else None
        if made is None:
            return head and head + await _rest(child.stdout, limits.bytes)
        progress(made)
    raise wire.Garbled("more pages than there may be")


async def _head(stdout: asyncio.StreamReader) -> bytes:
    """With its length before it; nothing where it breaks off."""
    try:
        length = await stdout.readexactly(wire.LENGTH)
        size = int.from_bytes(length, "big")
        if size > wire.MAX_HEAD:
            raise refusal("max_text")
        return length + await stdout.readexactly(size)
    except asyncio.IncompleteReadError:
        return b""


async def _rest(stdout: asyncio.StreamReader, most: int) -> bytes:
    rest = bytearray()
    while piece := await stdout.read(_PIECE):
        rest += piece
        if len(rest) > most:
            raise refusal("max_bytes", allowed=most)
    return bytes(rest)


def _understood(reply: bytes) -> Reading:
    """Raises Unreadable. What a library could not cope with is a refusal too, and a line in the log."""
    try:
        head, content = wire.split(reply)
        if head.get("cause"):
            _logger.warning("reading_failed", cause=str(head["cause"])[:200])
        return wire.reading_of(head, content)
    except wire.Garbled as error:
        raise _garbled(error) from None


def _garbled(error: wire.Garbled) -> Unreadable:
    _logger.warning("reading_garbled", error=str(error))
    return refusal("damaged")


async def _ended(child: asyncio.subprocess.Process) -> Unreadable:
    """Why a child ended without a word: what it was ended by, or what it died of."""
    code = await child.wait()
    _logger.info("reading_died", code=code)
    return refusal(_CAUSES.get(-code, "damaged"))


def _causes() -> dict[int, str]:
    """By signal. Allocators abort when there is no more memory, and the system kills."""
    if sys.platform == "win32":
        return {}
    slow = dict.fromkeys((signal.SIGPROF, signal.SIGXCPU), "max_seconds")
    big = dict.fromkeys((signal.SIGABRT, signal.SIGTRAP, signal.SIGILL, signal.SIGKILL), "max_memory")
    return {int(number): constraint for number, constraint in (*slow.items(), *big.items())}


_CAUSES: Final = _causes()
