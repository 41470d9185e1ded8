"""The processes: `serve` answers requests and works, `worker` only works."""

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, Final

import uvicorn
import uvloop

from bivelio_server.app import compose_services, create_app, opened
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services

_SHUTDOWN_SECONDS: Final = 10


def serve(place: Installation) -> None:
    """Answer requests until SIGINT or SIGTERM."""
    uvloop.run(_serve(place))


def work(place: Installation) -> None:
    """Work without answering requests, until SIGINT or SIGTERM."""
    uvloop.run(_work(place))


async def _serve(place: Installation) -> None:
    async with opened(compose_services(place)) as services, asyncio.TaskGroup() as tasks:
        background = _start_background(tasks, place, services)
        await uvicorn.Server(_uvicorn_config(place, services)).serve()
        _cancel(background)


async def _work(place: Installation) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with opened(compose_services(place)) as services, asyncio.TaskGroup() as tasks:
        background = _start_background(tasks, place, services)
        await stop.wait()
        _cancel(background)


def _start_background(tasks: asyncio.TaskGroup, place: Installation, services: Services) -> list[asyncio.Task[None]]:
    work: list[Coroutine[Any, Any, None]] = [services.wakeups.run()]
    if place.embedded is not None:
        work.append(place.embedded.supervise())
    return [tasks.create_task(coroutine) for coroutine in work]


def _cancel(background: list[asyncio.Task[None]]) -> None:
    for task in background:
        task.cancel()


def _uvicorn_config(place: Installation, services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(services, place),
        host=place.settings.host,
        port=place.settings.port,
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
