"""The worker of a process: its dispatcher, and a watch for every kind of lane."""

import asyncio
from collections.abc import Mapping, Sequence

from bivelio_server.durable.chores import Chore, keep_house
from bivelio_server.durable.dispatcher import Dispatcher
from bivelio_server.durable.housekeeping import CLEANUP
from bivelio_server.durable.lanes import Lane, LaneWatch
from bivelio_server.durable.runs import TaskHandler
from bivelio_server.kit.context import Services


class Worker:
    """Runs due tasks by the handlers of their names, drains due lanes, and does its share of the chores."""

    def __init__(
        self,
        services: Services,
        handlers: Mapping[str, TaskHandler],
        lanes: Sequence[Lane] = (),
        chores: Sequence[Chore] = (),
    ) -> None:
        self._services = services
        self._chores = (CLEANUP, *chores)
        self._parts: list[Dispatcher | LaneWatch] = [
            Dispatcher(services, handlers),
            *(LaneWatch(services, lane) for lane in lanes),
        ]

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`: then it begins nothing new, gives what runs ten seconds, and hands the rest back.

        A database that goes away is waited for. `services.wakeups` must be running, or only the tick finds work.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep_house(self._services, self._chores, stop))
            for part in self._parts:
                tasks.create_task(part.run(stop))
