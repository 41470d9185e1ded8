"""Workers that kill themselves at a chosen moment: `python -m tests.workflows.mortal`.

For each line `<number>` on its input it forks a worker that dies (SIGKILL) at that durable point, 0 for never and -1
for any call to the outside, and prints `killed`, or `ended` once the worker saw a run end. Durable points are, in the
order in which they come: a run was claimed; before and after each commit of a run, each call to the outside and each
other word to the queue.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import anyio
import httpcore2
from pydantic import SecretStr
from sqlalchemy.orm import configure_mappers

from bivelio_server.app import FEATURES, compose_services, opened
from bivelio_server.durable import Run, TaskHandler, Worker
from bivelio_server.durable.tasks import TOPIC
from bivelio_server.installation import Installation, serving_url
from bivelio_server.kit import db
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import OutgoingCall, Services
from bivelio_server.kit.db import Database, Transaction
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.secrets import SecretKey
from bivelio_server.settings import Settings
from bivelio_server.workflows.instances import TASK
from bivelio_server.workflows.running.execution import run_instance
from tests.workflows.couriers import Courier, Prepared

#: The environment of the process: the owner's database, the secret key, and a file for the keys of calls.
DATABASE: Final = "MORTAL_DATABASE"
SECRET: Final = "MORTAL_SECRET"
CALLS: Final = "MORTAL_CALLS"
_WORDS: Final = ("durable.finish", "durable.put_back", "durable.retry")


class Death:
    def __init__(self, at: int) -> None:
        self._at = at
        self._points = itertools.count(1)

    def may_strike(self) -> None:
        if next(self._points) == self._at:
            self.strike()

    def strike(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    @property
    def is_in_calls(self) -> bool:
        return self._at < 0

    def in_calls(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def deadly(*values: Any, **named: Any) -> Any:
            if self.is_in_calls:
                self.strike()
            return await function(*values, **named)

        return deadly

    def around(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def mortal(*values: Any, **named: Any) -> Any:
            self.may_strike()
            result = await function(*values, **named)
            self.may_strike()
            return result

        return mortal

    def wait_at_the_database(self) -> None:
        db._commit = self.around(db._commit)
        Transaction.commit_with = self.around(Transaction.commit_with)  # type: ignore[assignment, method-assign] # mortal
        Database.call_all = self._at_calls(Database.call_all)  # type: ignore[method-assign] # mortal

    def _at_calls(self, call_all: Callable[..., Awaitable[list[Any]]]) -> Callable[..., Awaitable[list[Any]]]:
        mortal = self.around(call_all)

        async def calling(database: Database, statement: str, values: Sequence[object] = ()) -> list[Any]:
            is_word = any(word in statement for word in _WORDS)
            rows = await (mortal if is_word else call_all)(database, statement, values)
            if "durable.claim" in statement and any(row[0] for row in rows):
                self.may_strike()
            return rows

        return calling


class MortalCourier(Courier):
    def __init__(self, death: Death) -> None:
        super().__init__()
        self._death = death
        self._call = death.around(self._note)

    async def _perform(self, call: OutgoingCall, prepared: Prepared) -> str:
        if self._death.is_in_calls:
            self._death.strike()
        await self._call(call.idempotency_key)
        return "receipt"

    async def _note(self, key: str) -> None:
        async with await anyio.open_file(os.environ[CALLS], "a") as calls:
            await calls.write(f"{key}\n")


async def live(death: Death) -> None:
    """Until a run has ended."""
    secret = os.environ[SECRET]
    key = SecretKey(secret)
    owner = os.environ[DATABASE]
    settings = Settings(secret_key=SecretStr(secret), log_level="error")
    clock = MovableClock()
    services = compose_services(Installation(settings, owner, serving_url(owner, key), key, None), clock)
    services = replace(services, catalogue=Catalogue((*FEATURES, MortalCourier(death).feature())))
    stop = asyncio.Event()
    async with opened(services):
        hurrying = asyncio.create_task(_hurry(services, clock))
        await Worker(services, {TASK: _until_one_ends(stop)}).run(stop)
        hurrying.cancel()


def _until_one_ends(stop: asyncio.Event) -> TaskHandler:
    async def handler(run: Run) -> None:
        await run_instance(run)
        if not run.asleep:
            stop.set()

    return handler


async def _hurry(services: Services, clock: MovableClock) -> None:
    """No wait lasts here."""
    while True:
        await asyncio.sleep(0.02)
        clock.advance(minutes=10)
        services.wakeups.wake(TOPIC)


def dying_by_order(orders: Iterable[str], live: Callable[[Death], Coroutine[Any, Any, None]]) -> None:
    """One life for each order, in a process of its own; what a start takes longest for is done before, once for all."""
    configure_mappers()
    authorities = httpcore2.default_ssl_context()
    httpcore2.default_ssl_context = lambda: authorities
    for line in orders:
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)  # what it logs is no answer
            death = Death(int(line))
            death.wait_at_the_database()
            asyncio.run(live(death))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        how = {0: "ended", signal.SIGKILL: "killed"}.get(status, f"broke off with {status}")
        sys.stdout.write(f"{how}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    dying_by_order(sys.stdin, live)
