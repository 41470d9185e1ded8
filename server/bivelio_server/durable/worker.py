"""The worker of a process: its dispatcher, and a watch for every kind of lane."""

import asyncio
from collections.abc import Mapping, Sequence

from bivelio_server.durable.dispatcher import Dispatcher
from bivelio_server.durable.housekeeping import keep_house
from bivelio_server.durable.lanes import Lane, LaneWatch
from bivelio_server.durable.runs import TaskHandler
from bivelio_server.kit.context import Services


class Worker:
    """Runs due tasks by the handlers of their names, and drains due lanes."""

    def __init__(self, services: Services, handlers: Mapping[str, TaskHandler], lanes: Sequence[Lane] = ()) -> None:
        self._database = services.database
        self._parts: list[Dispatcher | LaneWatch] = [
            Dispatcher(services, handlers),
            *(LaneWatch(services, lane) for lane in lanes),
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: then it begins nothing new, gives what runs ten seconds, and hands the rest back.

        A database that goes away is waited for. `services.wakeups` must be running, or only the tick finds work.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_house(self._database, stop))
            for part in self._parts:
                tasks.create_task(part.run(stop))
