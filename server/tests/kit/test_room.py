"""Large bodies: two at a time, and whoever waits too long is told to come again."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette

from bivelio_server.app import create_app
from bivelio_server.installation import Installation
from bivelio_server.kit import door, room
from bivelio_server.kit.context import Services
from tests.world import Organization

pytestmark = pytest.mark.anyio

FILE = b"name,email\r\nMaria,maria@ejemplo.com\r\n"
#: Larger than what any other request may be.
PADDING = b"x" * 1_100_000


class Slow:
    """The body of an import, in chunks: the last one is sent when the test says so."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        yield _part("file", FILE, "; filename=a.csv")
        self.begun.set()
        await self.go_on.wait()
        yield b"--x--\r\n"


@pytest.fixture
def impatient(services: Services, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Starlette:
    """An application whose requests wait only a moment for room."""
    monkeypatch.setattr(door, "Room", lambda: room.Room(wait_seconds=0.05))
    return create_app(services, installation)


@pytest.fixture
async def client(impatient: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=impatient)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as client:
        yield client


async def test_a_third_large_body_is_refused_until_there_is_room(
    acme: Organization, client: httpx2.AsyncClient
) -> None:
    slow = [Slow(), Slow()]
    uploads = [asyncio.create_task(_import(client, acme, body.chunks())) for body in slow]
    await asyncio.gather(*(body.begun.wait() for body in slow))

    refused = await _import(client, acme, _large())
    small = await _import(client, acme, _part("file", FILE, "; filename=a.csv") + b"--x--\r\n")
    other = await client.post("/v1/contacts", json={}, headers=acme.live.headers)
    for body in slow:
        body.go_on.set()
    finished = await asyncio.gather(*uploads)
    afterwards = await _import(client, acme, _large())

    assert (refused.status_code, refused.json()["error"]["retry_after"]) == (503, 5)
    assert (small.status_code, other.status_code) == (200, 200)
    assert [reply.status_code for reply in finished] == [200, 200]
    assert afterwards.status_code == 400


async def test_refused_bodies_leave_their_place(acme: Organization, client: httpx2.AsyncClient) -> None:
    replies = [await _import(client, acme, _large()) for _ in range(room.PLACES + 1)]

    assert [reply.status_code for reply in replies] == [400] * (room.PLACES + 1)


async def test_a_body_that_does_not_arrive_is_given_up(
    acme: Organization, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ARRIVAL_SECONDS", 0.05)

    reply = await _import(client, acme, Slow().chunks())

    assert (reply.status_code, reply.json()["error"]["details"]["constraint"]) == (400, "complete")


async def test_who_declares_a_small_body_cannot_send_a_large_one(
    acme: Organization, client: httpx2.AsyncClient
) -> None:
    reply = await _import(client, acme, _large(), {"Content-Length": "10"})

    assert reply.status_code == 413


def _part(name: str, content: bytes, more: str = "") -> bytes:
    return f"--x\r\nContent-Disposition: form-data; name={name}{more}\r\n\r\n".encode() + content + b"\r\n"


def _large() -> bytes:
    """Not a file that could be imported: it has a part of no meaning."""
    return _part("file", FILE, "; filename=a.csv") + _part("other", PADDING, "; filename=b") + b"--x--\r\n"


async def _import(
    client: httpx2.AsyncClient,
    acme: Organization,
    body: bytes | AsyncIterator[bytes],
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    return await client.post(
        "/v1/contacts/import", content=body, headers={**acme.live.headers, **kind, **(headers or {})}
    )
