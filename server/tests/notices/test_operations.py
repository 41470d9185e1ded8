"""notices.*"""

from typing import Any

import psycopg
import pytest

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import opening
from bivelio_server.kit.text import Text
from bivelio_server.notices.recording import notify
from bivelio_server.webhooks.delivery import LANE
from tests.webhooks.desk import Desk, create_contact
from tests.webhooks.receiver import always, receiving
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def test_a_disabled_endpoint_notifies_once(
    acme: Organization, owner: psycopg.Connection, services: Services
) -> None:
    async with receiving(always(410)) as receiver, working(services, lanes=[LANE]):
        endpoint = await Desk(owner).endpoint(acme.live, receiver)
        for number in range(5):
            await create_contact(acme.live, str(number))
        await until(lambda: bool(_kinds(owner, acme)))
        view = await endpoint.get()

        (notice,) = await _notices(acme.live)
        await endpoint.update(status="active")
        await until(lambda: len(_kinds(owner, acme)) == 2)

    assert notice["kind"] == "webhook.disabled"
    assert notice["resource_id"] == endpoint.id
    assert notice["created_at"] == view["disabled_at"]
    assert notice["details"] == {"webhook_id": endpoint.id, "url": receiver.url(), "reason": "gone"}
    assert "127.0.0.1" in notice["text"]["es"]
    assert "it answered 410" in notice["text"]["en"]
    assert _kinds(owner, acme) == ["webhook.disabled"] * 2


async def test_a_notice_is_read_once_and_for_all(acme: Organization, services: Services, clock: MovableClock) -> None:
    first, second = await _notify(services, acme, "key.expiring"), await _notify(services, acme, "webhook.disabled")

    read = await acme.live.call("/v1/notices/read", {"id": first})
    clock.advance(seconds=60)
    again = await acme.key("admin").call("/v1/notices/read", {"id": first})

    assert read["read_at"]
    assert read["read_by"].startswith("key:")
    assert again == read
    assert [one["id"] for one in await _notices(acme.live)] == [second, first]
    assert [one["id"] for one in await _notices(acme.live, unread=True)] == [second]
    assert [one["id"] for one in await _notices(acme.live, unread=False)] == [first]
    assert [one["id"] for one in await _notices(acme.live, kind="key.expiring")] == [first]


async def test_the_sandbox_sees_its_own(acme: Organization, rival: Organization, services: Services) -> None:
    live = await _notify(services, acme, "webhook.disabled")
    sandbox = await _notify(services, acme, "webhook.disabled", Environment.sandbox)

    assert [one["id"] for one in await _notices(acme.sandbox)] == [sandbox]
    assert [one["id"] for one in await _notices(acme.live)] == [sandbox, live]
    assert await _notices(rival.live) == []
    assert (await acme.sandbox.post("/v1/notices/read", {"id": live})).status_code == 404


async def test_a_kind_has_its_form(acme: Organization) -> None:
    reply = await acme.live.post("/v1/notices/list", {"kind": "Webhook"})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "kind")


async def _notices(client: Client, **filters: Any) -> list[dict[str, Any]]:
    page = await client.call("/v1/notices/list", filters)
    assert page["pagination"]["total"] == len(page["notices"])
    notices: list[dict[str, Any]] = page["notices"]
    return notices


async def _notify(
    services: Services, organization: Organization, kind: str, environment: Environment = Environment.live
) -> str:
    async with services.database.transaction_opened_by(opening(organization.id, environment)) as session:
        return await notify(
            session, org_id=organization.id, environment=environment, kind=kind, resource_id=None,
            text=Text("Aviso", "Notice"), details={}, now=services.clock.now(),
        )  # fmt: skip


def _kinds(owner: psycopg.Connection, organization: Organization) -> list[str]:
    return [row[0] for row in owner.execute("select kind from notices where org_id = %s", (organization.id,))]
