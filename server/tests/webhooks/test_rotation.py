"""webhooks.rotate_secret: no message fails to verify while secrets change, and the old one dies when it should."""

import asyncio
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bivelio_server.kit.clock import MovableClock
from tests.webhooks.desk import Desk, Endpoint, create_contact
from tests.webhooks.receiver import Received, receiving
from tests.webhooks.waiting import until
from tests.world import Organization

pytestmark = pytest.mark.anyio

OWN = "contraseña del señor Peña"


@dataclass
class Verifier:
    """Somebody's receiver: it verifies with the one secret that it knows, by the official library."""

    standard: str
    printed: str
    refused: list[str] = field(default_factory=list)

    def learn(self, made: dict[str, Any]) -> None:
        self.standard, self.printed = made["standard_secret"] or made["signing_secret"], made["signing_secret"]

    async def answer(self, request: Received) -> int:
        if verifies(request, self.standard) and prints(request, self.printed):
            return 200
        self.refused.append(request.id)
        return 401


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(("first", "second"), [(None, None), (OWN, None), (None, OWN), (OWN, OWN + " nueva")])
async def test_no_message_is_refused_while_a_secret_changes(
    acme: Organization, desk: Desk, clock: MovableClock, first: str | None, second: str | None
) -> None:
    verifier = Verifier("", "")
    async with receiving(verifier.answer) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, **({"secret": first} if first else {}))
        verifier.learn(endpoint.made)
        sent = 0

        async def traffic(count: int) -> None:
            nonlocal sent
            for _ in range(count):
                await create_contact(acme.live)
            sent += count

        stop = asyncio.Event()
        background = asyncio.create_task(_keep_sending(traffic, stop))
        await receiver.wait(10)
        made = await rotate(endpoint, grace_seconds=3600, **({"secret": second} if second else {}))
        await receiver.wait(len(receiver.requests) + 15)
        verifier.learn(made)  # somewhere within the grace
        await receiver.wait(len(receiver.requests) + 15)
        clock.advance(seconds=3601)
        await receiver.wait(len(receiver.requests) + 15)
        stop.set()
        await background
        await until(lambda: set(endpoint.statuses()) == {"delivered"})

    assert verifier.refused == []
    assert len(receiver.ids()) == sent >= 55


@pytest.mark.usefixtures("worker")
async def test_both_secrets_sign_until_the_grace_is_over(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        old = endpoint.made["signing_secret"]
        new = (await rotate(endpoint, grace_seconds=600))["signing_secret"]
        await create_contact(acme.live, "within")
        (within,) = await receiver.wait(1)
        clock.advance(seconds=601)
        await create_contact(acme.live, "after")
        after = (await receiver.wait(2))[1]

    assert old != new
    assert (verifies(within, old), verifies(within, new)) == (True, True)
    assert within.headers["x-bivelio-signature"] == printed(within, old)
    assert within.headers["x-bivelio-signature-new"] == printed(within, new)
    assert (verifies(after, old), verifies(after, new)) == (False, True)
    assert after.headers["x-bivelio-signature"] == printed(after, new)
    assert "x-bivelio-signature-new" not in after.headers


async def test_a_test_message_carries_both_too(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        made = await rotate(endpoint)
        await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})

    assert verifies(receiver.requests[0], endpoint.made["signing_secret"])
    assert verifies(receiver.requests[0], made["signing_secret"])


async def test_the_view_counts_down(acme: Organization, desk: Desk, clock: MovableClock) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")
    before = await endpoint.get()
    made = await rotate(endpoint)
    clock.advance(seconds=3600)
    during = await endpoint.get()
    clock.advance(seconds=23 * 3600 + 1)
    after = await endpoint.get()

    assert (before["rotation"], after["rotation"]) == (None, None)
    assert made["rotation"]["seconds_left"] == 24 * 3600
    assert 23 * 3600 - 60 < during["rotation"]["seconds_left"] <= 23 * 3600
    assert during["rotation"]["ends_at"] == made["rotation"]["ends_at"]
    assert made["version"] == before["version"] + 1


async def test_no_grace_kills_the_old_secret_at_once(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        made = await rotate(endpoint, grace_seconds=0)
        await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})

    assert made["rotation"] is None
    assert not verifies(receiver.requests[0], endpoint.made["signing_secret"])
    assert verifies(receiver.requests[0], made["signing_secret"])


async def test_a_second_rotation_waits_for_the_first_or_ends_it(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        first = await rotate(endpoint)

        reply = await acme.live.post("/v1/webhooks/rotate_secret", {"webhook_id": endpoint.id})
        last = await rotate(endpoint, grace_seconds=0)
        await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")
    assert reply.json()["error"]["details"]["ends_at"] == first["rotation"]["ends_at"]
    assert [verifies(receiver.requests[0], made["signing_secret"]) for made in (endpoint.made, first, last)] == [
        False,
        False,
        True,
    ]


async def test_rotations_at_the_same_time_are_one(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")

    replies = await asyncio.gather(
        *(acme.live.post("/v1/webhooks/rotate_secret", {"webhook_id": endpoint.id}) for _ in range(5))
    )

    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]


@pytest.mark.parametrize(
    ("change", "status", "field", "constraint"),
    [
        ({"grace_seconds": -1}, 400, "grace_seconds", "minimum"),
        ({"grace_seconds": 7 * 24 * 3600 + 1}, 400, "grace_seconds", "maximum"),
        ({"secret": "short"}, 400, "secret", "min_length"),
        ({"secret": OWN}, 422, "secret", "different"),
    ],
)
async def test_rotate_names_what_is_wrong(
    acme: Organization, desk: Desk, change: dict[str, Any], status: int, field: str, constraint: str
) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook", secret=OWN)

    reply = await acme.live.post("/v1/webhooks/rotate_secret", {"webhook_id": endpoint.id, **change})

    details = reply.json()["error"]["details"]
    assert (reply.status_code, details["field"], details["constraint"]) == (status, field, constraint)


async def test_no_secret_of_a_rotation_is_stored(acme: Organization, desk: Desk, owner: psycopg.Connection) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook", secret=OWN)

    made = await rotate(endpoint, secret=OWN + " nueva")

    assert made["standard_secret"].startswith("whsec_")
    stored = repr(owner.execute("select t::text from webhook_endpoints t where id = %s", (endpoint.id,)).fetchall())
    for secret in (OWN, made["signing_secret"], made["standard_secret"], endpoint.made["standard_secret"]):
        assert secret not in stored
        assert secret.encode().hex() not in stored


async def rotate(endpoint: Endpoint, **fields: Any) -> dict[str, Any]:
    return await endpoint.client.call("/v1/webhooks/rotate_secret", {"webhook_id": endpoint.id, **fields})


async def _keep_sending(traffic: Any, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await traffic(1)


def verifies(request: Received, secret: str) -> bool:
    """By the official library, at the time of the attempt: the tests' clock may have left the real time."""
    official = Webhook(secret)
    sent = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    now = datetime.now(UTC)
    if abs(now - sent) < timedelta(seconds=200):
        try:
            official.verify(request.body, request.headers)
        except WebhookVerificationError:
            return False
        return True
    return official.sign(request.id, sent, request.body.decode()) in request.headers["webhook-signature"].split(" ")


def prints(request: Received, secret: str) -> bool:
    """As somebody checks who reads both printed headers while a rotation lasts."""
    signatures = [request.headers.get(f"x-bivelio-signature{suffix}") for suffix in ("", "-new")]
    return printed(request, secret) in signatures


def printed(request: Received, secret: str) -> str:
    return hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
