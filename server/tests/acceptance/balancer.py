"""A load balancer as operators put in front: it asks who is ready, takes turns, and tries nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2

CHECK_EVERY_SECONDS = 0.1
_CHUNK = 1 << 16


@dataclass
class Balancer:
    """`backends` are ports of this machine; `address` is where clients ask."""

    backends: list[int]
    address: str = ""
    ready: set[int] = field(default_factory=set)
    shares: dict[int, int] = field(default_factory=dict)
    without_backend: int = 0
    _turn: int = 0
    _connections: set[asyncio.Task[None] | None] = field(default_factory=set)
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def next(self) -> int | None:
        """The ready backend whose turn it is."""
        candidates = [port for port in self.backends if port in self.ready]
        if not candidates:
            self.without_backend += 1
            return None
        self._turn += 1
        port = candidates[self._turn % len(candidates)]
        self.shares[port] = self.shares.get(port, 0) + 1
        return port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client is one connection to one backend. Nothing is tried again."""
        self._connections.add(task := asyncio.current_task())
        self._open.add(writer)
        port = self.next()
        try:
            if port is not None:
                await self._connect(reader, writer, port)
        except OSError:
            return  # the client sees its connection end
        finally:
            self._close(writer)
            self._connections.discard(task)

    async def end(self) -> None:
        """Whoever is still connected is hung up on."""
        for task in self._connections:
            if task is not None:
                task.cancel()
        while self._connections:  # noqa: ASYNC110 - they tell nobody
            await asyncio.sleep(0.01)
        for writer in [*self._open]:
            self._close(writer)
        await asyncio.sleep(0)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        """Until the backend hangs up."""
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        self._open.add(there_writer)
        asking = asyncio.create_task(_pump(reader, there_writer))
        try:
            await _pump(there_reader, writer)
        finally:
            self._close(there_writer)
            asking.cancel()
            await asyncio.wait([asking])

    def _close(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self._open.discard(writer)

    async def watch(self) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as http:
            while True:
                await asyncio.gather(*(self._look_at(http, port) for port in self.backends))
                await asyncio.sleep(CHECK_EVERY_SECONDS)

    async def _look_at(self, http: httpx2.AsyncClient, port: int) -> None:
        try:
            is_ready = (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200
        except httpx2.TransportError:
            is_ready = False
        (self.ready.add if is_ready else self.ready.discard)(port)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def balancing(backends: list[int]) -> AsyncIterator[Balancer]:
    balancer = Balancer(backends)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    balancer.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    watching = asyncio.create_task(balancer.watch())
    try:
        yield balancer
    finally:
        watching.cancel()
        server.close()
        await asyncio.sleep(0.1)  # whoever has just come in is known only now
        await balancer.end()
        await asyncio.wait([watching])
