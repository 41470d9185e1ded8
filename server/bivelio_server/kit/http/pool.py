"""Connections kept alive between requests.

httpcore2's own pool looks at all of its connections twice for every request: with 64 of them, that is 40 % of
a call's CPU. Here a request looks only at the idle connections of its origin.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpcore2

from bivelio_server.kit.http.targets import Origin

# Node and uvicorn close an idle connection after 5 s: below that, ours is rarely cut as a request starts.
_IDLE_SECONDS = 4.0


class ConnectionPool:
    """At most `max_connections` in use at a time, and at most as many idle."""

    def __init__(self, backend: httpcore2.AsyncNetworkBackend, tls: ssl.SSLContext, max_connections: int) -> None:
        self._backend = backend
        self._tls = tls
        self._max_connections = max_connections
        self._slots = asyncio.Semaphore(max_connections)
        self._idle: dict[Origin, list[httpcore2.AsyncHTTPConnection]] = {}
        self._next_sweep = 0.0
        self._closed = False

    @asynccontextmanager
    async def connection(self, origin: Origin) -> AsyncGenerator[httpcore2.AsyncHTTPConnection]:
        """A connection to `origin` for one request; it waits for a free slot."""
        async with self._slots:
            connection = await self._take(origin) or self._open(origin)
            try:
                yield connection
            finally:
                await self._give_back(origin, connection)

    async def aclose(self) -> None:
        """Close what is idle now, and the rest as soon as its request ends."""
        self._closed = True
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                await connection.aclose()

    async def _take(self, origin: Origin) -> httpcore2.AsyncHTTPConnection | None:
        await self._sweep()
        connections = self._idle.get(origin, [])
        while connections:
            # The newest: under a light load the others grow old and are closed.
            connection = connections.pop()
            if not connections:
                del self._idle[origin]
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None

    def _open(self, origin: Origin) -> httpcore2.AsyncHTTPConnection:
        scheme, host, port = origin
        return httpcore2.AsyncHTTPConnection(
            origin=httpcore2.Origin(scheme.encode("ascii"), host.encode("ascii"), port),
            ssl_context=self._tls,
            keepalive_expiry=_IDLE_SECONDS,
            network_backend=self._backend,
        )

    async def _give_back(self, origin: Origin, connection: httpcore2.AsyncHTTPConnection) -> None:
        full = sum(map(len, self._idle.values())) >= self._max_connections
        if self._closed or full or not connection.is_available():
            await connection.aclose()
        else:
            self._idle.setdefault(origin, []).append(connection)

    async def _sweep(self) -> None:
        """Close idle connections that nobody asks for any more. Now and then: it looks at all of them."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + _IDLE_SECONDS
        expired = []
        for origin, connections in list(self._idle.items()):
            kept = [connection for connection in connections if not connection.has_expired()]
            expired += [connection for connection in connections if connection not in kept]
            if kept:
                self._idle[origin] = kept
            else:
                del self._idle[origin]
        for connection in expired:
            await connection.aclose()
