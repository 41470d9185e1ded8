"""Workers that kill themselves at a chosen moment of a document's processing: `python -m tests.documents.mortal`.

As `tests.workflows.mortal`; before and after the file is read are moments, too. Its text is what the file holds.
"""

import asyncio
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from bivelio_server.app import compose_services, opened
from bivelio_server.documents.processing import process
from bivelio_server.documents.queueing import TASK
from bivelio_server.durable import Run, TaskHandler, Worker
from bivelio_server.installation import Installation, serving_url
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.secrets import SecretKey
from bivelio_server.settings import Settings
from tests.documents.scripted import ScriptedReader
from tests.workflows.mortal import Death, dying_by_order

#: The environment of the process: the owner's database, the secret key, the folder of files, and how far the clock of
#: the tests is ahead, in seconds.
DATABASE: Final = "MORTAL_DATABASE"
SECRET: Final = "MORTAL_SECRET"
FILES: Final = "MORTAL_FILES"
AHEAD: Final = "MORTAL_AHEAD"


async def live(death: Death) -> None:
    """Until a document is through."""
    key, owner = SecretKey(os.environ[SECRET]), os.environ[DATABASE]
    settings = Settings(storage_dir=Path(os.environ[FILES]), log_level="error")
    clock = MovableClock()
    clock.advance(seconds=float(os.environ[AHEAD]))
    services = compose_services(Installation(settings, owner, serving_url(owner, key), key, None), clock)
    reader = ScriptedReader()
    reader.read = death.around(death.in_calls(reader.read))  # type: ignore[method-assign] # mortal
    stop = asyncio.Event()
    async with opened(services):
        await Worker(replace(services, reader=reader), {TASK: _until_one_ends(stop)}).run(stop)


def _until_one_ends(stop: asyncio.Event) -> TaskHandler:
    async def handler(run: Run) -> None:
        await process(run)
        if not run.asleep:
            stop.set()

    return handler


if __name__ == "__main__":
    dying_by_order(sys.stdin, live)
