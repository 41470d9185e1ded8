"""Two server processes on one database against one: what a second one adds on this machine."""

import asyncio
from typing import Any

from contacts import CONNECTIONS, FILTER, SECONDS
from load import Load, drive, request
from place import Place


async def measure(here: Place) -> None:
    """Prints the rate of both together beside that of one, over as many connections in all."""
    print(f"\ntwo processes against one, contacts.list over {CONNECTIONS} connections")
    one = await _rate([here])
    print(f"  one process                   {one:8.0f}/s")
    with here.second() as other:
        await _rate([here, other], seconds=1)
        both = await _rate([here, other])
    print(f"  two processes                 {both:8.0f}/s   {both / one:.2f} times")


async def _rate(places: list[Place], seconds: float = SECONDS) -> float:
    def drive_one(place: Place) -> Any:
        listing = request("/v1/contacts", place.key, FILTER)
        return drive(place.port, lambda _: listing, connections=CONNECTIONS // len(places), seconds=seconds)

    loads: list[Load] = await asyncio.gather(*(drive_one(place) for place in places))
    return sum(load.rate for load in loads)
