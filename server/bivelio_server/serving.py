"""The processes: `serve` answers requests and works, `worker` only works."""

import asyncio
import importlib
import selectors
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Final

import structlog
import uvicorn
import uvloop
from starlette.applications import Starlette

from bivelio_server.app import VERSION, compose_services, compose_worker, create_app, create_operator_app, opened
from bivelio_server.installation import Installation, InstallationError
from bivelio_server.kit import tracing
from bivelio_server.kit.context import Services
from bivelio_server.kit.event_loop import watch_event_loop
from bivelio_server.settings import Settings

_SHUTDOWN_SECONDS: Final = 10
_LAST_REQUESTS_SECONDS: Final = 0.5
_BACKLOG: Final = 2048
_log = structlog.get_logger()


def serve(place: Installation) -> None:
    """Answer requests until SIGINT or SIGTERM. Raises InstallationError when the address cannot be listened on."""
    with _traced(place.settings), _listener(place.settings, place.settings.port) as listener:
        uvloop.run(_serve(place, listener))


def work(place: Installation) -> None:
    """Work without answering requests, but for the operator's if a port is set, until SIGINT or SIGTERM."""
    with _traced(place.settings), ExitStack() as stack:
        port = place.settings.worker_port
        listener = None if port is None else stack.enter_context(_listener(place.settings, port))
        uvloop.run(_work(place, listener))


@contextmanager
def _traced(settings: Settings) -> Iterator[None]:
    """With traces sent away, if the operator says where to. Raises InstallationError without the extra."""
    if settings.traces_endpoint is None:
        yield
        return
    try:
        otel = importlib.import_module("bivelio_server.kit.otel")
    except ModuleNotFoundError as error:
        raise InstallationError("BIVELIO_TRACES_ENDPOINT needs the extra: bivelio-server[otel].") from error
    tracing.start(otel.exporting_to(settings.traces_endpoint, VERSION))
    try:
        yield
    finally:
        tracing.stop()


class _Server(uvicorn.Server):
    """Uvicorn's, but it stops without dropping a reply and leaves the signals to us.

    Uvicorn would end the process by the signal, before its work is handed back.
    """

    def __init__(self, config: uvicorn.Config, address: str) -> None:
        super().__init__(config)
        self._address = address

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"BiVelio: {self._address}  (Ctrl-C)\n")
        sys.stdout.flush()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Whoever is connected is answered once more; uvicorn would hang up on those who are just about to ask."""
        self.server_state.default_headers.append((b"connection", b"close"))
        await self._close_the_door()
        deadline = time.monotonic() + _LAST_REQUESTS_SECONDS
        while self.server_state.connections and time.monotonic() < deadline:  # noqa: ASYNC110 - nothing tells of them
            await asyncio.sleep(0.01)
        await super().shutdown(sockets)

    async def _close_the_door(self) -> None:
        """Once everybody is let in whose connection the system has taken already."""
        with selectors.DefaultSelector() as waiting:
            for server in self.servers:
                for listener in server.sockets:
                    waiting.register(listener.fileno(), selectors.EVENT_READ)
            deadline = time.monotonic() + _LAST_REQUESTS_SECONDS
            while waiting.select(0) and time.monotonic() < deadline:  # noqa: ASYNC110 - the loop accepts meanwhile
                await asyncio.sleep(0)
            for server in self.servers:
                server.close()


async def _serve(place: Installation, listener: socket.socket) -> None:
    signals = _Signals()
    async with opened(compose_services(place)) as services, _working(place, services, signals.stop):
        app = create_app(services, place)
        await _answer(app, services, place.settings.address, listener, signals)


async def _work(place: Installation, listener: socket.socket | None) -> None:
    signals = _Signals()
    async with opened(compose_services(place)) as services, _working(place, services, signals.stop):
        _log.info("working")
        if listener is None:
            await signals.stop.wait()
        else:
            await _answer(create_operator_app(services), services, "worker", listener, signals)


async def _answer(
    app: Starlette, services: Services, address: str, listener: socket.socket, signals: "_Signals"
) -> None:
    """Until told to stop and drained, or until the server gives up."""
    server = _Server(_uvicorn_config(app), address)
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(signals.stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    app.state.draining = True
    services.streams.stop()
    await _drain(services.settings.drain_seconds, signals.hurry)
    server.should_exit = True
    await serving
    await services.streams.finish(_SHUTDOWN_SECONDS)


async def _drain(seconds: float, hurry: asyncio.Event) -> None:
    """Answer on, no longer ready, until whoever shares out the requests has noticed."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await hurry.wait()


def _listener(settings: Settings, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise InstallationError(f"Cannot listen on {settings.host}, port {port}: {error.strerror}.") from error


class _Signals:
    """`stop` is set by the first SIGINT or SIGTERM, `hurry` by the second."""

    def __init__(self) -> None:
        self.stop, self.hurry = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()


@asynccontextmanager
async def _working(place: Installation, services: Services, stop: asyncio.Event) -> AsyncIterator[None]:
    """What a process does beside answering: durable work, notifications, keeping the embedded database up.

    At `stop` the durable work ends beside the last replies, not after them; the journal closes after both.
    """
    answered = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        beside = (services.wakeups.run(), watch_event_loop())
        helpers = [tasks.create_task(work) for work in beside]
        if place.embedded is not None:
            helpers.append(tasks.create_task(place.embedded.supervise()))
        worker = tasks.create_task(compose_worker(services).run(stop))
        journal = tasks.create_task(services.journal.run(answered))
        yield
        stop.set()
        await worker
        answered.set()
        await journal
        for helper in helpers:
            helper.cancel()


def _uvicorn_config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        backlog=_BACKLOG,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
