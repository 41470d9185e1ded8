"""How late the event loop comes: everything in the process waits as long."""

import asyncio
from typing import Final

from prometheus_client import Histogram

_EVERY_SECONDS: Final = 0.25

LAG: Final = Histogram(
    "bivelio_event_loop_lag_seconds",
    "How late the event loop came back to what was due.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)


async def watch_event_loop() -> None:
    """Measure now and then, until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _EVERY_SECONDS
        await asyncio.sleep(_EVERY_SECONDS)
        LAG.observe(max(0.0, loop.time() - due))
