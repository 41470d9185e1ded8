"""Chores: what some process of an installation does now and then, one at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from bivelio_server.durable.shift import wait
from bivelio_server.kit.context import Services

_AFTER_FAILURE: Final = timedelta(minutes=5)
_LOOK_SECONDS: Final = 20.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Chore:
    """`work` returns how many things it did; whatever it raises is logged, and it is tried again soon.

    After `lease` it is somebody else's: its process has died.
    """

    name: str
    every: timedelta
    work: Callable[[Services], Awaitable[int]]
    lease: timedelta = timedelta(minutes=5)


async def keep_house(services: Services, chores: Sequence[Chore], stop: asyncio.Event) -> None:
    """Do the chores that are due, until `stop`; one that is under way then is broken off, and taken up anew later."""
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            round_ = asyncio.create_task(do_due(services, chores))
            await asyncio.wait((round_, stopping), return_when=asyncio.FIRST_COMPLETED)
            round_.cancel()
            await asyncio.wait((round_,))
            await wait(stop, _LOOK_SECONDS)
    finally:
        stopping.cancel()


async def do_due(services: Services, chores: Sequence[Chore]) -> None:
    """Every chore that is due and nobody is at."""
    for chore in chores:
        try:
            row = await services.database.call(
                "select take_chore(%s, %s, %s)", (chore.name, services.clock.now(), chore.lease)
            )
            if row is not None and row[0]:
                await _do(services, chore)
        except Exception as error:  # noqa: BLE001 - logged; housekeeping outlives whatever its database does
            _log.warning("chore_failed", chore=chore.name, error=repr(error))


async def _do(services: Services, chore: Chore) -> None:
    done, error, again = 0, None, chore.every
    try:
        done = await chore.work(services)
    except asyncio.CancelledError:
        error, again = "stopped", timedelta()
        raise
    except Exception as failure:
        error, again = type(failure).__name__, min(_AFTER_FAILURE, chore.every)
        raise
    finally:
        now = services.clock.now()
        await services.database.call(
            "select end_chore(%s, %s, %s, %s, %s)", (chore.name, now, now + again, done, error)
        )
    _log.info("chore_done", chore=chore.name, done=done)
