"""Places for work at once, which nobody has all of: the last ones are for holders that have nothing here yet.

Work that waits for the outside leaves its place, as long as there is room outside, which is shared by the same rule.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID


@dataclass(slots=True)
class Room:
    """`size` seats, of which the last `kept` are for holders that have none."""

    size: int
    kept: int
    taken: int = 0
    by_holder: Counter[UUID | None] = field(default_factory=Counter)

    @property
    def free(self) -> int:
        return self.size - self.taken

    @property
    def open(self) -> int:
        """How many of the free seats are anybody's."""
        return max(0, self.free - self.kept)

    def enter(self, holder: UUID | None) -> None:
        self.taken += 1
        self.by_holder[holder] += 1

    def leave(self, holder: UUID | None) -> None:
        self.taken -= 1
        self.by_holder[holder] -= 1
        if not self.by_holder[holder]:
            del self.by_holder[holder]


class Places:
    """Places inside, and the room `outside` for those who left theirs. `freed` is called when a place is free."""

    def __init__(self, inside: Room, outside: Room, freed: Callable[[], None]) -> None:
        self.inside = inside
        self.outside = outside
        self._freed = freed
        #: Inside for want of room outside.
        self._staying: list[Place] = []
        self._returning: list[tuple[Place, asyncio.Future[None]]] = []

    def occupy(self, holder: UUID | None = None) -> "Place":
        """A place for new work, free or not: whoever asked for work had looked before."""
        self.inside.enter(holder)
        return Place(self, holder)

    def held(self) -> Counter[UUID | None]:
        """How much work each holder has here, inside and outside."""
        return self.inside.by_holder + self.outside.by_holder

    def let_out(self, place: "Place") -> None:
        """Without room outside it changes places with one of its holder's that returns, or stays until one does: else
        those who wait for each other, some inside and some outside, would wait for ever."""
        if self._has_room_outside(place.holder):
            self._move_out(place)
            self._pass_on()
            return
        for returning, turn in self._returning:
            if returning.holder == place.holder:
                self._returning.remove((returning, turn))
                place.is_inside = False
                turn.set_result(None)
                return
        self._staying.append(place)

    async def let_in(self, place: "Place") -> None:
        """Waits for a place; who has least here comes first."""
        staying = next((each for each in self._staying if each.holder == place.holder), None)
        if self._may_return(place):
            self._move_in(place.holder)
        elif staying is not None:
            self._staying.remove(staying)
            staying.is_inside = False
        else:
            await self._turn_of(place)

    def stay_in(self, place: "Place") -> None:
        """It has something to do inside again."""
        if place in self._staying:
            self._staying.remove(place)

    def give_up(self, place: "Place") -> None:
        self.stay_in(place)
        (self.inside if place.is_inside else self.outside).leave(place.holder)
        self._pass_on()

    async def _turn_of(self, place: "Place") -> None:
        turn = asyncio.get_running_loop().create_future()
        self._returning.append((place, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.inside.leave(place.holder)
                self.outside.enter(place.holder)
                self._pass_on()
            else:
                self._returning.remove((place, turn))
            raise

    def _pass_on(self) -> None:
        """What is free goes to those who return before anything new is begun; who stayed leaves where there is room."""
        for place in [each for each in self._staying if self._has_room_outside(each.holder)]:
            if self._has_room_outside(place.holder):
                self._staying.remove(place)
                self._move_out(place)
        while allowed := [waiting for waiting in self._returning if self._may_return(waiting[0])]:
            place, turn = min(allowed, key=lambda waiting: self._here(waiting[0].holder))
            self._returning.remove((place, turn))
            self._move_in(place.holder)
            turn.set_result(None)
        if self.inside.free > 0:
            self._freed()

    def _has_room_outside(self, holder: UUID | None) -> bool:
        return self.outside.open > 0 or (self.outside.free > 0 and holder not in self.outside.by_holder)

    def _may_return(self, place: "Place") -> bool:
        return self.inside.open > 0 or (self.inside.free > 0 and self._here(place.holder) == 1)

    def _here(self, holder: UUID | None) -> int:
        return self.inside.by_holder[holder] + self.outside.by_holder[holder]

    def _move_out(self, place: "Place") -> None:
        self.inside.leave(place.holder)
        self.outside.enter(place.holder)
        place.is_inside = False

    def _move_in(self, holder: UUID | None) -> None:
        self.outside.leave(holder)
        self.inside.enter(holder)


class Place:
    """Where a piece of work is: at a place, or outside."""

    def __init__(self, places: Places, holder: UUID | None) -> None:
        self.holder = holder
        self.is_inside = True
        self._places = places
        self._moving = asyncio.Lock()

    def leave(self) -> None:
        """Let others have the place until `take`. Without room outside it is kept until then, or until there is."""
        if self.is_inside:
            self._places.stay_in(self)
            self._places.let_out(self)

    async def take(self) -> None:
        """Have a place again, after waiting for one where need be."""
        async with self._moving:
            if self.is_inside:
                self._places.stay_in(self)
                return
            await self._places.let_in(self)
            self.is_inside = True

    def give_up(self) -> None:
        """The work is over."""
        self._places.give_up(self)
