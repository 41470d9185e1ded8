"""A reply that goes on: its form on the wire, what ends it, and how many there may be."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from starlette.types import Receive, Scope, Send

from bivelio_server.kit import event_stream, streaming
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.errors import Conflict, InsufficientScope, NotAuthenticated, TooManyRequests, Unavailable
from bivelio_server.kit.event_stream import EventStream
from bivelio_server.kit.models import Output
from bivelio_server.kit.streaming import Ending, Events, Place, Stream, StreamEvent, Streams
from tests.following import Following, following

pytestmark = pytest.mark.anyio


class Number(Output):
    number: int


def number(value: int, event_id: str | None = None) -> StreamEvent:
    return StreamEvent("number", Number(number=value), event_id)


def caller(org_id: UUID | None = None) -> Caller:
    return Caller(org_id or uuid4(), Environment.live, "key:key_1", uuid4(), frozenset({"read"}))


@pytest.fixture
async def streams() -> AsyncIterator[Streams]:
    streams = Streams(per_organization=2, in_all=3)
    yield streams
    streams.stop()


@asynccontextmanager
async def served(events: Events, place: Place, last_event_id: str | None = None) -> AsyncIterator[Following]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        stream = Stream(Number(number=0), events, place)
        reply = EventStream(
            stream, last_event_id=last_event_id, shown=lambda event: event.data.model_dump(), language="en"
        )
        await reply(scope, receive, send)

    async with following(app, "/", {}, {}) as reply:
        yield reply


class Endless:
    """One event, then none for ever; tells that it was closed."""

    def __init__(self) -> None:
        self.is_closed = asyncio.Event()

    async def events(self, last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        try:
            yield number(1)
            await asyncio.Event().wait()
        finally:
            self.is_closed.set()


async def test_events_come_as_they_are_made_and_then_the_reply_ends(streams: Streams) -> None:
    async def events(last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        yield number(1, "a")
        yield number(2)

    async with served(events, streams.take(caller())) as reply:
        found = await reply.rest()

        assert found == [("number", {"number": 1}, "a"), ("number", {"number": 2}, None)]
        assert reply.is_complete
    assert reply.headers["content-type"] == "text/event-stream"
    assert (reply.headers["cache-control"], reply.headers["x-accel-buffering"]) == ("no-store", "no")
    assert len(streams) == 0


@pytest.mark.parametrize(("given", "passed"), [("7", "7"), (None, None), ("a\nb", None), ("", None), ("x" * 101, None)])
async def test_a_stream_goes_on_after_the_last_event_seen(
    streams: Streams, given: str | None, passed: str | None
) -> None:
    async def events(last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        assert last_event_id == passed
        yield number(1)

    async with served(events, streams.take(caller()), given) as reply:
        assert [event.name for event in await reply.rest()] == ["number"]


async def test_a_quiet_stream_shows_signs_of_life(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 0.01)

    async def events(last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        while reply.comments < 3:  # noqa: ASYNC110 - it is counted as it comes
            await asyncio.sleep(0.005)
        yield number(1)

    async with served(events, streams.take(caller())) as reply:
        assert await reply.next() == ("number", {"number": 1}, None)
        assert reply.comments >= 3


async def test_a_client_who_goes_away_leaves_nothing_behind(streams: Streams) -> None:
    endless = Endless()
    async with served(endless.events, streams.take(caller())) as reply:
        await reply.next()

    assert endless.is_closed.is_set()
    assert len(streams) == 0


async def test_a_client_who_reads_nothing_is_given_up(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "PATIENCE_SECONDS", 0.01)
    endless, place, stuck = Endless(), streams.take(caller()), asyncio.Event()

    async def receive() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message.get("body", b"").startswith(b"event"):
            stuck.set()
            await asyncio.Event().wait()

    stream = Stream(Number(number=0), endless.events, place)
    await EventStream(stream, last_event_id=None, shown=lambda event: {}, language="en")({}, receive, send)

    assert stuck.is_set()
    assert endless.is_closed.is_set()
    assert len(streams) == 0


@pytest.mark.parametrize(
    ("ending", "last"),
    [
        ("stopping", ("reconnect", {"reason": "stopping"}, None)),
        ("time", ("reconnect", {"reason": "time"}, None)),
        (
            NotAuthenticated(),
            (
                "error",
                {"code": "AUTH_INVALID_TOKEN", "message": "The credential is missing or not valid."},
                None,
            ),
        ),
    ],
)
async def test_a_stream_that_is_ended_says_why(streams: Streams, ending: Ending, last: Any) -> None:
    endless, place = Endless(), streams.take(caller())
    async with served(endless.events, place) as reply:
        await reply.next()
        place.end(ending)

        assert await reply.rest() == [last]
        assert reply.is_complete
    assert endless.is_closed.is_set()


@pytest.mark.parametrize(("raised", "code"), [(Conflict(), "CONFLICT"), (KeyError("x"), "INTERNAL_ERROR")])
async def test_what_goes_wrong_is_told_in_the_stream(streams: Streams, raised: Exception, code: str) -> None:
    async def events(last_event_id: str | None) -> AsyncGenerator[StreamEvent, None]:
        yield number(1)
        raise raised

    async with served(events, streams.take(caller())) as reply:
        first, last = await reply.rest()

    assert (first.name, last.name, last.data["code"]) == ("number", "error", code)


async def test_an_organisation_has_so_many_streams_and_no_more(streams: Streams) -> None:
    acme = caller()
    first, _second = streams.take(acme), streams.take(acme)

    with pytest.raises(TooManyRequests) as refusal:
        streams.take(acme)
    first.leave()
    first.leave()
    streams.take(acme)

    assert refusal.value.retry_after == streaming.RETRY_SECONDS
    assert len(streams) == 2


async def test_a_process_has_so_many_streams_and_no_more(streams: Streams) -> None:
    for _ in range(3):
        streams.take(caller())

    with pytest.raises(Unavailable):
        streams.take(caller())


async def test_a_process_that_stops_ends_its_streams_and_opens_none(streams: Streams) -> None:
    place = streams.take(caller())

    streams.stop()

    assert (place.over.is_set(), place.ending) == (True, "stopping")
    with pytest.raises(Unavailable):
        streams.take(caller())


class Card:
    """Credentials as the test wants them."""

    def __init__(self, answer: Callable[[], Caller]) -> None:
        self.answer = answer
        self.looks = 0

    async def look_again(self) -> Caller:
        self.looks += 1
        return self.answer()


def _refuse(_caller: Caller) -> None:
    raise InsufficientScope


def _raise(error: Exception) -> Callable[[], Caller]:
    def answer() -> Caller:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "require", "code"),
    [
        (_raise(NotAuthenticated()), lambda _caller: None, "AUTH_INVALID_TOKEN"),
        (caller, _refuse, "AUTH_INSUFFICIENT_SCOPE"),
    ],
)
async def test_a_stream_ends_with_the_right_to_it(
    streams: Streams, monkeypatch: pytest.MonkeyPatch, answer: Any, require: Any, code: str
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.01)
    place = streams.take(caller())
    place.guard(Card(answer), require)

    await asyncio.wait_for(place.over.wait(), 10)

    assert isinstance(place.ending, NotAuthenticated | InsufficientScope)
    assert place.ending.code == code


async def test_streams_of_the_same_credentials_are_checked_together(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.05)
    acme, card = caller(), Card(_raise(NotAuthenticated()))
    places = [streams.take(acme), streams.take(acme)]
    for place in places:
        place.guard(card, lambda _caller: None)

    for place in places:
        await asyncio.wait_for(place.over.wait(), 10)

    assert card.looks == 1


async def test_nobody_loses_a_stream_because_the_database_is_away(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.01)
    place, card = streams.take(caller()), Card(_raise(OSError("away")))
    place.guard(card, _refuse)

    while card.looks < 3:  # noqa: ASYNC110 - nobody tells of a look
        await asyncio.sleep(0.005)

    assert not place.over.is_set()


async def test_a_stream_is_ended_after_its_time(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "CHECK_SECONDS", 0.01)
    monkeypatch.setattr(streaming, "LONGEST_SECONDS", 0.0)
    place = streams.take(caller())

    await asyncio.wait_for(place.over.wait(), 10)

    assert place.ending == "time"
