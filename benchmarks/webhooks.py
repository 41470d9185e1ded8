"""Webhooks: deliveries a second to a local receiver, and how long a healthy endpoint waits while fifty hang."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from load import percentile, read_reply, request
from place import Place, spent

EVENTS = 2_000
HUNG = 50


class Receiver:
    """Answers 200 at once, or never, and remembers when each message came."""

    def __init__(self, *, hangs: bool = False) -> None:
        self.arrivals: list[float] = []
        self.url = ""
        self._hangs = hangs
        self._expected = 0
        self._all_here = asyncio.Event()

    async def wait_for(self, count: int) -> None:
        self._expected = count
        if len(self.arrivals) < count:
            self._all_here.clear()
            await asyncio.wait_for(self._all_here.wait(), 120)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
                await reader.readexactly(length)
                if self._hangs:
                    await asyncio.sleep(3600)
                self.arrivals.append(time.perf_counter())
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                if len(self.arrivals) >= self._expected:
                    self._all_here.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        except asyncio.CancelledError:
            return  # the benchmark is over; nobody waits for this connection
        finally:
            writer.close()


@asynccontextmanager
async def receiver(*, hangs: bool = False) -> AsyncIterator[Receiver]:
    made = Receiver(hangs=hangs)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield made
    finally:
        server.close()


async def measure(here: Place) -> None:
    print("\nwebhooks")
    await _throughput(here)
    await _beside_hung_ones(here)


async def _throughput(here: Place) -> None:
    async with receiver() as healthy:
        endpoint = await _register(here, healthy.url)
        began = time.perf_counter()
        with spent(here) as cpu:
            await _create_contacts(here, EVENTS)
            made = time.perf_counter() - began
            await healthy.wait_for(EVENTS)
        seconds = time.perf_counter() - began
        print(
            f"  {EVENTS} contacts made and delivered: {EVENTS / seconds:.0f} deliveries/s while making them at"
            f" {EVENTS / made:.0f}/s; CPU {1000 * cpu['all'] / EVENTS:.2f} ms a contact and delivery"
        )
        await asyncio.to_thread(here.call, "/v1/webhooks/delete", {"webhook_id": endpoint})


async def _beside_hung_ones(here: Place) -> None:
    async with receiver(hangs=True) as hung, receiver() as healthy:
        endpoints = [await _register(here, f"{hung.url}?{number}") for number in range(HUNG - 1)]
        await _create_contacts(here, 20)
        await asyncio.sleep(1)
        endpoints.append(await _register(here, healthy.url))
        waits = []
        for count in range(1, 31):
            began = time.perf_counter()
            await _create_contacts(here, 1)
            await healthy.wait_for(count)
            waits.append((time.perf_counter() - began) * 1000)
        waits.sort()
        print(
            f"  healthy endpoint beside {HUNG - 1} that hang: event -> delivery"
            f" p50 {percentile(waits, 0.5):.0f} ms, p99 {percentile(waits, 0.99):.0f} ms"
        )
        for endpoint in endpoints:
            await asyncio.to_thread(here.call, "/v1/webhooks/delete", {"webhook_id": endpoint})


async def _register(here: Place, url: str) -> str:
    data = {"url": url, "events": ["contact.created"]}
    return str((await asyncio.to_thread(here.call, "/v1/webhooks/create", data))["webhook_id"])


async def _create_contacts(here: Place, count: int) -> None:
    """Over eight keep-alive connections."""
    numbers = iter(range(count))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
        for number in numbers:
            writer.write(request("/v1/contacts/create", here.key, {"name": f"Lead {number}"}))
            await read_reply(reader)
        writer.close()

    await asyncio.gather(*(work() for _ in range(min(8, count))))
