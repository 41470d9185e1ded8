"""`make bench`: every figure in one run, so that ratios hold though the machine's speed drifts."""

import asyncio
import os
import platform
import time

import agents
import contacts
import fairness
import guards
import history
import imports
import ingestion
import parked
import processes
import reading
import retrieval
import retrieval_quality
import understanding
import webhooks
import workers
import workflows
from place import Place, place

from bivelio_server.installation import installation
from bivelio_server.settings import Settings


def main() -> None:
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; load {os.getloadavg()}")
    with place() as here:
        _idle(here)
        with installation(Settings(data_dir=here.data_dir)) as installed:
            asyncio.run(contacts.measure(here, installed))
            asyncio.run(guards.measure(here, installed))
            asyncio.run(processes.measure(here))
            asyncio.run(imports.measure(here, installed))
            asyncio.run(workflows.measure(here, installed))
            workers.measure(here, installed)
            fairness.measure(here, installed)
            parked.measure(here, installed)
            asyncio.run(history.measure(here, installed))
        asyncio.run(agents.measure(here))
        asyncio.run(webhooks.measure(here))
    # A place of its own: what fills a million passages would be in the way of the others.
    with place() as here, installation(Settings(data_dir=here.data_dir)) as installed:
        asyncio.run(ingestion.measure(here, installed))
        asyncio.run(retrieval.measure(here, installed))
    asyncio.run(reading.measure())
    asyncio.run(understanding.measure())
    asyncio.run(retrieval_quality.measure())


def _idle(here: Place) -> None:
    here.stop()
    seconds = here.start()
    time.sleep(5)
    cpu = here.cpu()
    time.sleep(5)
    memory, busy = here.memory(), sum(here.cpu().values()) - sum(cpu.values())
    print(f"\nstart on existing data          {seconds:.2f} s  (aim 3)")
    print(
        f"idle memory (PSS)               {sum(memory.values()):.0f} MB  (aim 250; server {memory['server']:.0f},"
        f" PostgreSQL {memory['postgres']:.0f}), CPU {100 * busy / 5:.1f} %"
    )


if __name__ == "__main__":
    main()
