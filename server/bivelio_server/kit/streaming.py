"""Replies that go on: an operation may answer with a stream of events (server-sent events) instead of one object.

It says so in its declaration, `stream=Streaming({"step": StepView, …})`, and its handler gives what the stream consists
of, `context.stream_after_commit(events)`. The stream begins once the transaction is committed and its locks are gone.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TypeAlias
from uuid import UUID

import structlog
from prometheus_client import Gauge

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.errors import APIError, TooManyRequests, Unavailable
from bivelio_server.kit.models import Output
from bivelio_server.kit.text import Text

#: How often it is looked whether credentials still allow what they have opened.
CHECK_SECONDS: Final = 5.0
#: A stream that goes on is ended now and then; who wants more of it asks again, maybe at another server.
LONGEST_SECONDS: Final = 3600.0
#: How long whoever was refused a stream, or lost one, should wait.
RETRY_SECONDS: Final = 2
#: The last event of a call that was followed: its output.
RESULT: Final = "result"
_log = structlog.get_logger()

OPEN: Final = Gauge("bivelio_streams_open", "Streams of events that are open.")


class StreamEvent(NamedTuple):
    """One event of a stream. After an `id`, whoever lost the stream can go on from there."""

    name: str
    data: Output
    id: str | None = None


#: Gives the events, from after the id that the client saw last, if it saw one.
Events: TypeAlias = Callable[[str | None], AsyncGenerator[StreamEvent, None]]
#: Tells who follows a call of something on the way.
Tell: TypeAlias = Callable[[StreamEvent], None]
#: Why a stream ends that could go on: the server stops, it has lasted long enough, or its credentials are good no more.
Ending: TypeAlias = Literal["stopping", "time"] | APIError


class Reconnect(Output):
    """The last event, `reconnect`, of a stream that ends though there may be more."""

    reason: Literal["stopping", "time"]


@dataclass(frozen=True, slots=True)
class Streaming:
    """The events that an operation may answer with, each with the model of its `data`.

    `always`: it has no other reply. Those of an external operation are told by its call; a `result`, with its output,
    comes by itself.
    """

    events: Mapping[str, type[Output]]
    always: bool = True


class Credentials(Protocol):
    """What a request came with; equal for the same ones."""

    async def look_again(self) -> Caller:
        """The caller that they stand for now. Raises NotAuthenticated, CredentialsExpired."""


@dataclass(eq=False, slots=True)
class Place:
    """Room for one stream, until it is left. `over` is set when the stream is to end, because of `ending`."""

    org_id: UUID
    opened_at: float
    _leave: "Callable[[Place], None]"
    over: asyncio.Event = field(default_factory=asyncio.Event)
    ending: Ending | None = None
    _credentials: Credentials | None = None
    _require: Callable[[Caller], None] | None = None

    def guard(self, credentials: Credentials, require: Callable[[Caller], None]) -> None:
        """Let it end when `require` refuses the caller that these credentials stand for."""
        self._credentials, self._require = credentials, require

    @property
    def credentials(self) -> Credentials | None:
        return self._credentials

    def judge(self, caller: Caller) -> None:
        try:
            if self._require is not None:
                self._require(caller)
        except APIError as refusal:
            self.end(refusal)

    def end(self, ending: Ending) -> None:
        self.ending = self.ending or ending
        self.over.set()

    def leave(self) -> None:
        self._leave(self)


@dataclass(frozen=True, slots=True)
class Stream:
    """A reply that goes on; `output` is what the handler returned. Whoever gets it leaves the place in the end."""

    output: Output
    events: Events
    place: Place


class Streams:
    """The streams that are open in this process."""

    def __init__(self, *, per_organization: int, in_all: int) -> None:
        self._per_organization = per_organization
        self._in_all = in_all
        self._places: dict[UUID, set[Place]] = defaultdict(set)
        self._stopping = False
        self._checking: asyncio.Task[None] | None = None
        self._calls: set[asyncio.Task[Any]] = set()

    def take(self, caller: Caller) -> Place:
        """Raises TooManyRequests when the organisation has all it may have, Unavailable when the process has."""
        if self._stopping or len(self) >= self._in_all:
            raise Unavailable
        if len(self._places.get(caller.org_id, ())) >= self._per_organization:
            raise TooManyRequests(_TOO_MANY.format(limit=self._per_organization), retry_after=RETRY_SECONDS)
        place = Place(caller.org_id, asyncio.get_running_loop().time(), self._left)
        self._places[caller.org_id].add(place)
        OPEN.inc()
        if self._checking is None:
            self._checking = asyncio.create_task(self._check(), name="streams")
        return place

    def follow(self, call: Callable[[Tell], Awaitable[Output]], output: Output, place: Place) -> Stream:
        """Begin the call: what it tells, then its output, or what it raises.

        Nobody needs to listen for it to go on: who goes away changes nothing of what it does and costs.
        """
        told: asyncio.Queue[StreamEvent | None] = asyncio.Queue()

        async def make() -> Output:
            try:
                return await call(told.put_nowait)
            finally:
                told.put_nowait(None)

        task = asyncio.create_task(make(), name="followed_call")
        self._calls.add(task)
        task.add_done_callback(self._ended)

        async def events(_last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
            while (event := await told.get()) is not None:
                yield event
            yield StreamEvent(RESULT, await asyncio.shield(task))

        return Stream(output, events, place)

    def stop(self) -> None:
        """End all streams and open no more: the process is about to stop."""
        self._stopping = True
        for place in self._all():
            place.end("stopping")

    async def finish(self, seconds: float) -> None:
        """Let the calls come to their end that were followed; what has not by then is broken off."""
        if self._calls:
            _, late = await asyncio.wait(self._calls, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def __len__(self) -> int:
        return sum(map(len, self._places.values()))

    def _all(self) -> list[Place]:
        return [place for places in self._places.values() for place in places]

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Who followed it is told of its failure; where it is a defect the log is told, too."""
        self._calls.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, APIError):
            _log.error("followed_call_failed", exc_info=error)

    def _left(self, place: Place) -> None:
        places = self._places.get(place.org_id, set())
        if place not in places:
            return
        places.remove(place)
        OPEN.dec()
        if not places:
            del self._places[place.org_id]
        if not self._places and self._checking is not None:
            self._checking.cancel()
            self._checking = None

    async def _check(self) -> None:
        """For all streams together, so that many of them with one key cost one look."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            too_old = asyncio.get_running_loop().time() - LONGEST_SECONDS
            guarded: dict[Credentials, list[Place]] = defaultdict(list)
            for place in self._all():
                if place.opened_at <= too_old:
                    place.end("time")
                if place.credentials is not None:
                    guarded[place.credentials].append(place)
            for credentials, places in guarded.items():
                await _judge(credentials, places)


async def _judge(credentials: Credentials, places: list[Place]) -> None:
    """While the database is away nobody loses a stream for it."""
    caller: Caller | None = None
    refusal: APIError | None = None
    try:
        caller = await credentials.look_again()
    except APIError as error:
        refusal = error
    except Exception as error:  # noqa: BLE001 - whatever it is, the other streams go on being watched
        _log.warning("credentials_not_checked", error=type(error).__name__)
    for place in places:
        if refusal is not None:
            place.end(refusal)
        elif caller is not None:
            place.judge(caller)


_TOO_MANY: Final = Text(
    "Tu organización tiene abiertos {limit} flujos de eventos, el máximo; cierra alguno.",
    "Your organisation has {limit} streams of events open, as many as it may; close one.",
)
