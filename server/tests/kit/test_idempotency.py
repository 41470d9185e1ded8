"""`Idempotency-Key`: what is asked twice is done once, and answered twice the same."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.app import FEATURES, HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit import door
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.kit.idempotency import LEASE, Claim
from bivelio_server.kit.operations import Catalogue
from tests.workflows.arranging import HELLO, workflow
from tests.workflows.couriers import Courier
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

ROUNDS = 3 * int(os.environ.get("BIVELIO_CHAOS_ROUNDS", "1"))
CREATE, UPDATE, LIST = "/v1/contacts/create", "/v1/contacts/update", "/v1/contacts"
SEND, EXECUTE = "/v1/parcels/send", "/v1/workflows/execute"
ANA = {"name": "Ana", "email": "ana@example.com"}
REPLAYED = "idempotent-replayed"


def with_key(client: Client, key: str | None = None) -> Client:
    """The client with one `Idempotency-Key` for all its requests."""
    return Client(client.http, {**client.headers, "Idempotency-Key": key or f"order-{uuid4()}"})


async def contacts(client: Client) -> int:
    total: int = (await client.call(LIST))["pagination"]["total"]
    return total


def is_replay(reply: httpx2.Response) -> bool:
    return reply.headers.get(REPLAYED) == "true"


@pytest.mark.parametrize("round_", range(ROUNDS))
async def test_of_a_hundred_at_once_one_has_an_effect(acme: Organization, round_: int) -> None:
    client = with_key(acme.live)

    replies = await asyncio.gather(*(client.post(CREATE, ANA) for _ in range(100)))
    after = [await client.post(CREATE, ANA) for _ in range(3)]

    answered = [reply for reply in replies if reply.status_code == 200]
    refused = [reply for reply in replies if reply.status_code != 200]
    assert {reply.content for reply in [*answered, *after]} == {answered[0].content}
    assert [is_replay(reply) for reply in answered].count(False) == 1
    assert all(is_replay(reply) for reply in after)
    assert {(reply.status_code, reply.json()["error"]["code"]) for reply in refused} <= {(409, "CONFLICT")}
    assert all(reply.headers["retry-after"] == "1" for reply in refused)
    assert await contacts(acme.live) == 1


async def test_the_same_request_in_another_order_is_the_same(acme: Organization) -> None:
    client = with_key(acme.live)

    first = await client.post(CREATE, ANA)
    second = await client.post(CREATE, dict(reversed(ANA.items())), action="create")

    assert (second.content, is_replay(first), is_replay(second)) == (first.content, False, True)


@pytest.mark.parametrize("other", [{**ANA, "name": "Eva"}, {"name": "Ana"}, {**ANA, "phone": None}])
async def test_another_request_under_the_same_key_is_refused(acme: Organization, other: dict[str, Any]) -> None:
    client = with_key(acme.live)
    await client.call(CREATE, ANA)

    reply = await client.post(CREATE, other)

    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
    assert reply.json()["error"]["details"]["field"] == "Idempotency-Key"
    assert await contacts(acme.live) == 1


async def test_a_reply_that_never_left_is_given_again(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    client = with_key(acme.live)

    def broken(*_: object, **__: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(door, "json_response", broken)
        lost = await client.post(CREATE, ANA)
    reply = await client.post(CREATE, ANA)

    assert (lost.status_code, reply.status_code, is_replay(reply)) == (503, 200, True)
    assert await contacts(acme.live) == 1


async def test_a_crash_before_the_commit_leaves_neither_effect_nor_reply(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = with_key(acme.live)

    async def crash(*_: object, **__: object) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(Claim, "keep", crash)
        lost = await client.post(CREATE, ANA)
    assert (lost.status_code, await contacts(acme.live)) == (503, 0)

    reply = await client.post(CREATE, ANA)

    assert (reply.status_code, is_replay(reply), await contacts(acme.live)) == (200, False, 1)


async def test_a_key_is_kept_for_a_day(acme: Organization, clock: MovableClock) -> None:
    client = with_key(acme.live)
    first = await client.call(CREATE, ANA)
    clock.advance(hours=23, minutes=59)
    assert is_replay(await client.post(CREATE, ANA))

    clock.advance(minutes=1)
    later = await client.post(CREATE, {"name": "Eva"})

    assert (later.status_code, is_replay(later)) == (200, False)
    assert later.json()["data"]["id"] != first["id"]
    assert is_replay(await client.post(CREATE, {"name": "Eva"}))


async def test_a_refusal_is_repeated_though_the_reason_is_gone(acme: Organization) -> None:
    company = await acme.live.call(CREATE, {"name": "Acme", "type": "company"})
    await acme.live.call("/v1/contacts/delete", {"id": company["id"]})
    client = with_key(acme.live)
    wanted = {**ANA, "company_id": company["id"]}
    first = await client.post(CREATE, wanted)
    await acme.live.call("/v1/contacts/restore", {"id": company["id"]})

    again, anew = await client.post(CREATE, wanted), await with_key(acme.live).post(CREATE, wanted)

    assert (first.status_code, is_replay(first)) == (404, False)
    assert (again.status_code, again.content, is_replay(again)) == (404, first.content, True)
    assert anew.status_code == 200


@pytest.mark.parametrize(
    "data", [{"name": ""}, {"nombre": "Ana"}, {"name": "Ana", "email": "nadie"}, {"name": "x" * 201}]
)
async def test_what_was_not_understood_leaves_the_key_free(acme: Organization, data: dict[str, Any]) -> None:
    client = with_key(acme.live)
    assert (await client.post(CREATE, data)).status_code == 400

    assert (await client.post(CREATE, ANA)).status_code == 200


async def test_who_may_not_leaves_the_key_free(acme: Organization) -> None:
    reader, writer = with_key(acme.key("read"), "shared"), with_key(acme.live, "shared")
    assert (await reader.post(CREATE, ANA)).status_code == 403

    assert (await writer.post(CREATE, ANA)).status_code == 200


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ñ", "a\tb"])
async def test_a_key_that_is_none_is_refused(acme: Organization, key: str) -> None:
    headers = {**acme.live.headers, "Idempotency-Key": key}
    reply = await acme.world.http.post(
        CREATE, json={"data": ANA}, headers={name: value.encode() for name, value in headers.items()}
    )

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == "Idempotency-Key"
    assert await contacts(acme.live) == 0


async def test_reading_takes_no_notice_of_keys(acme: Organization, owner: psycopg.Connection) -> None:
    client = with_key(acme.live, "a b")
    before = await client.call(LIST)
    await acme.live.call(CREATE, ANA)

    assert (before["pagination"]["total"], (await client.call(LIST))["pagination"]["total"]) == (0, 1)
    assert stored(owner, acme) == []


async def test_walls_stand_between_equal_keys(acme: Organization, rival: Organization) -> None:
    """Other organisations, environments and operations have keys of their own; other credentials have not."""
    replies = [
        await with_key(client, "one").post(CREATE, ANA)
        for client in (acme.live, acme.sandbox, rival.live, acme.key("write"))
    ]
    contact = replies[0].json()["data"]
    renamed = await with_key(acme.live, "one").post(UPDATE, {"id": contact["id"], "name": "Eva"})

    assert [is_replay(reply) for reply in replies] == [False, False, False, True]
    assert len({reply.json()["data"]["id"] for reply in replies}) == 3
    assert (renamed.status_code, is_replay(renamed)) == (200, False)


async def test_a_secret_is_repeated_but_lies_sealed(acme: Organization, owner: psycopg.Connection) -> None:
    client = with_key(acme.live)

    first, second = [await client.post("/v1/keys/create", {"name": "ERP"}) for _ in range(2)]

    assert (second.content, is_replay(second)) == (first.content, True)
    [(_, status, reply, sealed)] = stored(owner, acme)
    assert (status, reply) == (200, None)
    assert first.json()["data"]["key"].encode() not in bytes(sealed)


async def test_what_is_for_one_is_not_repeated_to_another(acme: Organization) -> None:
    """Two keys of one organisation; the reply of the first holds a secret that only its maker may see."""
    data = {"name": "ERP", "scopes": ["read"]}
    mine = await with_key(acme.live, "for-me").post("/v1/keys/create", data)

    theirs = await with_key(acme.key("admin"), "for-me").post("/v1/keys/create", data)

    assert mine.status_code == 200
    assert theirs.status_code == 422
    assert mine.json()["data"]["key"] not in theirs.text


async def test_one_effect_is_one_entry_in_the_audit_log(acme: Organization) -> None:
    client = with_key(acme.live)
    for _ in range(3):
        await client.post(CREATE, ANA)

    entries = (await acme.live.call("/v1/audit/list"))["entries"]

    assert [entry["operation"] for entry in entries] == ["contacts.create"]


def stored(database: psycopg.Connection, organization: Organization) -> list[Any]:
    query = "select operation, status, reply, sealed_reply from idempotency_keys where org_id = %s"
    return database.execute(query, (organization.id,)).fetchall()


@pytest.fixture
def courier() -> Courier:
    return Courier()


@pytest.fixture
async def sender(
    services: Services, courier: Courier, installation: Installation, acme: Organization
) -> AsyncIterator[Client]:
    """A client of a server that also sends parcels, an outside service; with one key for all it sends."""
    depot = replace(services, catalogue=Catalogue((*FEATURES, courier.feature())))
    transport = httpx2.ASGITransport(app=create_app(depot, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield with_key(Client(http, acme.live.headers))


@pytest.fixture
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def test_the_outside_is_called_once(sender: Client, courier: Courier) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        arrived.set()
        await go_on.wait()

    courier.on_call = [wait]
    first = asyncio.create_task(sender.post(SEND, {"to": "Ana"}))
    await arrived.wait()
    meanwhile = [await sender.post(SEND, {"to": "Ana"}) for _ in range(3)]
    other = await sender.post(SEND, {"to": "Eva"})
    go_on.set()
    replies = [await first, await sender.post(SEND, {"to": "Ana"})]

    assert [reply.status_code for reply in meanwhile] == [409, 409, 409]
    assert other.status_code == 422
    assert [(reply.status_code, is_replay(reply)) for reply in replies] == [(200, False), (200, True)]
    assert replies[0].content == replies[1].content
    assert (len(courier.keys), courier.prepared, courier.recorded) == (1, 1, 1)


async def test_a_crash_on_the_way_outside_frees_the_key_with_its_lease(
    sender: Client, courier: Courier, clock: MovableClock, quiet: None
) -> None:
    """The provider then sees the same key again, so that it can tell."""

    async def crash() -> None:
        raise psycopg.OperationalError

    courier.on_call = [crash]
    lost = await sender.post(SEND, {"to": "Ana"})
    early = await sender.post(SEND, {"to": "Ana"})
    clock.advance(seconds=LEASE.total_seconds())
    reply = await sender.post(SEND, {"to": "Ana"})

    assert [lost.status_code, early.status_code, reply.status_code] == [503, 409, 200]
    assert len(courier.keys) == 2
    assert len(set(courier.keys)) == 1
    assert is_replay(await sender.post(SEND, {"to": "Ana"}))


async def test_a_crash_after_the_outside_had_its_call_tells_it_the_same_key(
    sender: Client, courier: Courier, clock: MovableClock, quiet: None
) -> None:
    async def crash() -> None:
        raise psycopg.OperationalError

    courier.on_record = [crash]
    lost = await sender.post(SEND, {"to": "Ana"})
    clock.advance(seconds=LEASE.total_seconds())
    reply = await sender.post(SEND, {"to": "Ana"})

    assert [lost.status_code, reply.status_code] == [503, 200]
    assert (len(courier.keys), len(set(courier.keys))) == (2, 1)


async def test_what_may_pass_may_be_tried_again_at_once(sender: Client, courier: Courier) -> None:
    async def out_of_order() -> None:
        raise IntegrationFailed

    courier.on_call = [out_of_order]
    replies = [await sender.post(SEND, {"to": "Ana"}) for _ in range(3)]

    assert [(reply.status_code, is_replay(reply)) for reply in replies] == [(503, False), (200, False), (200, True)]
    assert len(set(courier.keys)) == 1


async def test_what_the_outside_refuses_for_good_is_not_asked_again(sender: Client, courier: Courier) -> None:
    async def refuse() -> None:
        raise IntegrationRefused(details={"provider": "address unknown"})

    courier.on_call = [refuse]
    replies = [await sender.post(SEND, {"to": "Ana"}) for _ in range(2)]

    assert [(reply.status_code, is_replay(reply)) for reply in replies] == [(422, False), (422, True)]
    assert replies[0].content == replies[1].content
    assert len(courier.keys) == 1


async def test_a_run_that_is_waited_for_is_one_run(acme: Organization, services: Services) -> None:
    made = await workflow(acme.live, HELLO)
    client = with_key(acme.live)
    wanted = {"workflow_id": made["id"], "input": {"name": "Ana"}, "async": False}
    async with working(services, HANDLERS):
        replies = await asyncio.gather(*(client.post(EXECUTE, wanted) for _ in range(10)))
        again = await client.post(EXECUTE, wanted)

    answered = [reply for reply in replies if reply.status_code == 200]
    assert {reply.status_code for reply in replies} <= {200, 409}
    assert {reply.content for reply in answered} == {again.content}
    assert (again.json()["data"]["status"], is_replay(again)) == ("completed", True)
    assert await runs(acme) == 1


async def test_a_run_is_known_to_have_begun_though_its_reply_was_lost(
    acme: Organization, services: Services, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies while somebody waits for the run: the repeated request names the same run."""
    made = await workflow(acme.live, HELLO)
    client = with_key(acme.live)
    wanted = {"workflow_id": made["id"], "async": False}
    waiting = asyncio.create_task(client.post(EXECUTE, wanted))
    await until_started(acme)
    waiting.cancel()
    await asyncio.wait([waiting])

    clock.advance(seconds=LEASE.total_seconds())
    reply = await client.post(EXECUTE, wanted)

    assert (reply.status_code, is_replay(reply)) == (200, True)
    assert reply.json()["data"]["status"] == "running"
    assert await runs(acme) == 1


async def runs(organization: Organization) -> int:
    total: int = (await organization.live.call("/v1/workflows/instances"))["pagination"]["total"]
    return total


async def until_started(organization: Organization) -> None:
    async with asyncio.timeout(10):
        while await runs(organization) == 0:  # noqa: ASYNC110 - no event of ours tells of it
            await asyncio.sleep(0.01)
