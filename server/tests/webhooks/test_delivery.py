"""An event arrives where it is wanted, signed, and nowhere else."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.http import OutgoingHttp
from bivelio_server.webhooks.delivery import LANE
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import always, receiving
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.mark.usefixtures("worker")
async def test_a_created_contact_arrives_as_get_would_return_it(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        contact = await create_contact(acme.live)
        (request,) = await receiver.wait(1)

        got = await acme.live.call("/v1/contacts/get", {"id": contact["id"]})

    assert request.message == {
        "event": "contact.created",
        "timestamp": contact["created_at"],
        "webhook_id": endpoint.id,
        "data": got,
    }
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-bivelio-event"] == "contact.created"
    assert request.headers["user-agent"].startswith("BiVelio/")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("secret", [None, "whsec_tu_secreto_de_verificacion", "contraseña del señor Peña"])
async def test_both_signatures_verify(acme: Organization, desk: Desk, clock: MovableClock, secret: str | None) -> None:
    async with receiving() as receiver:
        endpoint = await desk.endpoint(acme.live, receiver, **({"secret": secret} if secret else {}))
        await create_contact(acme.live)
        (request,) = await receiver.wait(1)

    signing = endpoint.made["signing_secret"]
    assert signing == (secret or signing)
    printed = hmac.new(signing.encode(), request.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(request.headers["x-bivelio-signature"], printed)
    sent = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
    assert abs(clock.now() - sent) < timedelta(minutes=1)
    # Its `verify` goes by the real time, which the tests' clock may have left.
    official = Webhook(endpoint.made["standard_secret"] or signing)
    assert request.headers["webhook-signature"] == official.sign(request.id, sent, request.body.decode())


@pytest.mark.usefixtures("worker")
async def test_an_event_that_nobody_wants_goes_nowhere(acme: Organization, rival: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        await desk.endpoint(acme.live, receiver)
        await create_contact(acme.sandbox, "sandbox")
        await create_contact(rival.live, "rival")
        contact = await create_contact(acme.live, "live")
        await acme.live.call("/v1/contacts/update", {"id": contact["id"], "name": "another event"})
        await create_contact(acme.live, "last")

        await receiver.until(lambda requests: any(one.message["data"]["name"] == "last" for one in requests))

    assert [one.message["data"]["name"] for one in receiver.requests] == ["live", "last"]


@pytest.mark.usefixtures("worker")
async def test_a_live_event_stays_out_of_the_sandbox(acme: Organization, desk: Desk) -> None:
    async with receiving() as receiver:
        await desk.endpoint(acme.sandbox, receiver)
        await create_contact(acme.live, "live")
        await create_contact(acme.sandbox, "sandbox")

        (request,) = await receiver.wait(1)

    assert request.message["data"]["name"] == "sandbox"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(acme: Organization, desk: Desk, status: int) -> None:
    async with receiving() as elsewhere, receiving(always(status, {"Location": elsewhere.url()})) as receiver:
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.outcomes() == [("failed", status, "redirected")])

    assert elsewhere.requests == []
    assert endpoint.deliveries() == [("pending", 1)]


async def test_a_private_address_is_refused(acme: Organization, desk: Desk, services: Services) -> None:
    walled = replace(services, http=OutgoingHttp(private_networks=(), user_agent="BiVelio/test"))
    async with receiving() as receiver, working(walled, lanes=[LANE]):
        endpoint = await desk.endpoint(acme.live, receiver)
        await create_contact(acme.live)
        await until(lambda: endpoint.outcomes() == [("failed", None, "address_refused")])

    await walled.http.aclose()
    assert receiver.requests == []
