"""People learn that something waits for their decision."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bivelio_server.app import HANDLERS, MAIL_LANES
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.approvals.asking import TOPIC
from tests.mail.sink import Sink, serving
from tests.mail.test_outbox import with_server
from tests.notices.test_mailing import sent_to
from tests.webhooks.waiting import until
from tests.workflows.deciding import approval, parked, waiting_in
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sink(services: Services) -> AsyncIterator[Sink]:
    async with serving(Sink()) as sink, working(with_server(services, sink), HANDLERS, MAIL_LANES):
        yield sink


async def test_whoever_may_decide_is_mailed(acme: Organization, sink: Sink) -> None:
    ana, luis, eva = acme.person("admin"), acme.person("editor"), acme.person("editor")
    step = approval(approvers={"roles": ["admin"], "users": [luis.email]}, deadline_seconds=3600)

    [waiting] = await waiting_in(acme.live, await parked(acme, step))
    await until(lambda: len(sent_to(sink, ana.email, luis.email)) == 2)

    assert sent_to(sink, eva.email, acme.email) == []
    [(_, subject, text)] = sent_to(sink, ana.email)
    assert subject == "Acme: 1 por decidir"
    assert all(part in text for part in ("Factura de 1250 €", "Onboarding", waiting["approval_id"], "antes de"))


async def test_what_is_new_is_told_together(
    acme: Organization, services: Services, clock: MovableClock, sink: Sink
) -> None:
    loop = {
        "id": "each", "for_each": "{{ input.items }}", "concurrency": 25, "steps": [approval(title="Nº {{ item }}")],
    }  # fmt: skip
    await parked(acme)
    await until(lambda: len(sent_to(sink, acme.email)) == 1)
    going = await parked(acme, loop, items=list(range(25)))
    await waiting_in(acme.live, going, count=25)

    clock.advance(minutes=6)
    services.wakeups.wake(TOPIC)
    await until(lambda: len(sent_to(sink, acme.email)) == 2)

    mails = {subject: text for _, subject, text in sent_to(sink, acme.email)}
    assert list(mails) == ["Acme: 1 por decidir", "Acme: 25 por decidir"]
    assert "… y 5 más." in mails["Acme: 25 por decidir"]


async def test_one_unread_notice_tells_of_a_workflow_that_waits(
    acme: Organization, sink: Sink, owner: psycopg.Connection
) -> None:
    both = {"id": "both", "parallel": {"one": [approval("first")], "two": [approval("second")]}}
    going = await parked(acme, both)
    await waiting_in(acme.live, going, count=2)

    page = await acme.live.call("/v1/notices/list", {"kind": "approval.requested"})

    [notice] = page["notices"]
    assert notice["resource_id"] == going["workflow_id"]
    assert "Onboarding" in notice["text"]["es"]
    await acme.live.call("/v1/notices/read", {"id": notice["id"]})
    await parked(acme)
    page = await acme.live.call("/v1/notices/list", {"kind": "approval.requested"})
    assert page["pagination"]["total"] == 2
