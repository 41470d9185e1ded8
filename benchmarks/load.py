"""A load generator that costs little: prepared requests over keep-alive connections, replies read by their length."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Load:
    """What a load saw: replies a second and the latency in milliseconds."""

    rate: float
    p50: float
    p99: float
    requests: int
    failures: int

    def __str__(self) -> str:
        failed = f", {self.failures} FAILED" if self.failures else ""
        return (
            f"{self.rate:8.0f}/s   p50 {self.p50:6.2f} ms   p99 {self.p99:7.2f} ms   ({self.requests} requests{failed})"
        )


def request(path: str, key: str, data: dict[str, Any]) -> bytes:
    body = json.dumps({"data": data}).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bivelio\r\nX-API-Key: {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def drive(port: int, make: Callable[[int], bytes], *, connections: int, seconds: float) -> Load:
    """Send `make(0)`, `make(1)`, … over so many connections for so long; a warm-up of a fifth is not counted."""
    numbers = iter(range(10**9))
    warm = time.perf_counter() + seconds / 5
    end = warm + seconds
    latencies: list[float] = []
    failures = 0

    async def one_connection() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (began := time.perf_counter()) < end:
            writer.write(make(next(numbers)))
            ok = await read_reply(reader)
            if began >= warm:
                latencies.append(time.perf_counter() - began)
                failures += not ok
        writer.close()

    await asyncio.gather(*(one_connection() for _ in range(connections)))
    latencies.sort()
    return Load(
        rate=len(latencies) / seconds,
        p50=percentile(latencies, 0.50) * 1000,
        p99=percentile(latencies, 0.99) * 1000,
        requests=len(latencies),
        failures=failures,
    )


async def read_reply(reader: asyncio.StreamReader) -> bool:
    """Read one reply to its end; whether it was a success."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


def percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
