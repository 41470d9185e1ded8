"""Owners get an e-mail for each notice, where a mail server is set up."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from bivelio_server.app import HANDLERS, MAIL_LANES
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from bivelio_server.notices.recording import notify
from tests.mail.sink import Sink, serving
from tests.mail.test_outbox import with_server
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

TEXT = Text("Tu endpoint ha sido desactivado.", "Your endpoint has been disabled.")


@pytest.fixture
async def sink(services: Services) -> AsyncIterator[Sink]:
    async with serving(Sink()) as sink, working(with_server(services, sink), HANDLERS, MAIL_LANES):
        yield sink


async def notice(
    services: Services, organization: Organization, environment: Environment = Environment.live, text: Text = TEXT
) -> None:
    user_id = UUID(organization.made.user_id)
    caller = Caller(organization.id, environment, f"user:{user_id}", user_id, frozenset({"admin"}))
    async with transaction(caller, services, Origin(Door.http)) as context:
        await notify(
            context.session, org_id=organization.id, environment=environment, kind="webhook.disabled",
            resource_id="wh_1", text=text, details={}, now=context.now,
        )  # fmt: skip


def sent_to(sink: Sink, *addresses: str) -> list[tuple[str, str, str]]:
    """Recipient, subject and text of what came for these; other tests leave notices too."""
    found = []
    for message in sink.messages:
        [to] = message["To"].addresses
        body = message.get_body(("plain",))
        assert body is not None
        if to.addr_spec in addresses:
            found.append((to.addr_spec, str(message["Subject"]), body.get_content()))
    return found


async def test_the_owner_is_told_once_in_the_language_of_the_organization(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection, sink: Sink
) -> None:
    owner.execute("update organizations set locale = 'en' where id = %s", (rival.id,))
    admin = acme.member("admin")

    await notice(services, acme)
    await notice(services, rival)
    await until(lambda: len(sent_to(sink, acme.email, rival.email)) == 2)

    [(_, subject, text)] = sent_to(sink, acme.email)
    assert (subject, TEXT.es in text, "webhook.disabled wh_1" in text) == ("Acme: aviso de BiVelio", True, True)
    [(_, subject, text)] = sent_to(sink, rival.email)
    assert (subject, TEXT.en in text) == ("Rival: a notice from BiVelio", True)
    assert sent_to(sink, f"admin-{admin}@example.com") == []
    assert unmailed(owner, acme) == 0


async def test_notices_of_the_sandbox_and_of_the_past_are_not_mailed(
    acme: Organization, services: Services, owner: psycopg.Connection, sink: Sink
) -> None:
    await notice(services, acme, Environment.sandbox)
    owner.execute(
        "insert into notices (org_id, id, environment, kind, text, details, created_at)"
        " values (%s, 'ntc_old', 'live', 'webhook.disabled', '{}', '{}', %s)",
        (acme.id, services.clock.now().replace(year=2020)),
    )
    await notice(services, acme, text=Text("El último.", "The last."))

    await until(lambda: bool(sent_to(sink, acme.email)))

    [(_, _, text)] = sent_to(sink, acme.email)
    assert text.startswith("El último.")
    assert unmailed(owner, acme) == 2


async def test_a_name_of_an_organization_adds_no_header(
    acme: Organization, services: Services, owner: psycopg.Connection, sink: Sink
) -> None:
    hostile = "Acme\r\nBcc: victim@example.com\r\n\r\nHola {text} {0}"
    owner.execute("update organizations set name = %s where id = %s", (hostile, acme.id))

    await notice(services, acme)
    await until(lambda: bool(sent_to(sink, acme.email)))

    [(_, subject, _)] = sent_to(sink, acme.email)
    assert subject == "Acme Bcc: victim@example.com Hola {text} {0}: aviso de BiVelio"
    assert all("Bcc" not in message for message in sink.messages)


def unmailed(owner: psycopg.Connection, organization: Organization) -> int:
    row = owner.execute(
        "select count(*) from notices where org_id = %s and mailed_at is null", (organization.id,)
    ).fetchone()
    assert row is not None
    return int(row[0])
