"""Waking workers after a commit: at once in this process, by notification in the others.

A wake-up is a hint, never the truth: whoever waits also looks by itself now and then. Notifications leave on a
connection of their own and coalesced, because a NOTIFY inside a business transaction serialises all commits.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import psycopg
import structlog

CHANNEL: Final = "bivelio"
_COALESCE_SECONDS: Final = 0.01
_RECONNECT_SECONDS: Final = 0.5
_Work: TypeAlias = Callable[[psycopg.AsyncConnection], Awaitable[None]]
_log = structlog.get_logger()


class Wakeups:
    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._waiting: dict[str, list[asyncio.Event]] = defaultdict(list)
        self._unsent: set[str] = set()
        self._something_to_send = asyncio.Event()

    def subscribe(self, topic: str) -> asyncio.Event:
        """An event that is set at every wake-up of `topic`; the subscriber clears it."""
        event = asyncio.Event()
        self._waiting[topic].append(event)
        return event

    def unsubscribe(self, topic: str, event: asyncio.Event) -> None:
        self._waiting[topic].remove(event)
        if not self._waiting[topic]:
            del self._waiting[topic]

    def wake(self, topic: str) -> None:
        """Wake who waits for `topic`. One with a colon (`instance:…`) has one waiter: if it is here, only here."""
        self._wake_here(topic)
        if ":" in topic and topic in self._waiting:
            return
        self._unsent.add(topic)
        self._something_to_send.set()

    async def run(self) -> None:
        """Send and receive notifications until cancelled; a lost connection is made anew."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep(self._send), name="wakeups-send")
            tasks.create_task(self._keep(self._receive), name="wakeups-receive")

    async def _keep(self, work: _Work) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await work(connection)
            except psycopg.Error as error:
                _log.warning("notifications_interrupted", error=str(error).strip())
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _send(self, connection: psycopg.AsyncConnection) -> None:
        while True:
            await self._something_to_send.wait()
            self._something_to_send.clear()
            topics, self._unsent = self._unsent, set()
            for topic in topics:
                await connection.execute("select pg_notify(%s, %s)", (CHANNEL, topic))
            await asyncio.sleep(_COALESCE_SECONDS)

    async def _receive(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(f"listen {CHANNEL}")
        self._wake_everyone()
        async for notification in connection.notifies():
            self._wake_here(notification.payload)

    def _wake_here(self, topic: str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()

    def _wake_everyone(self) -> None:
        """What was notified while nobody listened is lost; so everyone looks."""
        for topic in list(self._waiting):
            self._wake_here(topic)
