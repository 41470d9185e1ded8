"""An invitation goes out by e-mail where a mail server is set up."""

import httpx2
import pytest

from bivelio_server.app import HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from tests.mail.sink import Sink, serving
from tests.mail.test_outbox import with_server
from tests.members.arranging import accepted, fresh_email, invited
from tests.webhooks.waiting import until
from tests.working import working
from tests.world import PASSWORD, Client, Organization

pytestmark = pytest.mark.anyio


async def test_the_link_of_the_mail_lets_the_person_in(
    acme: Organization, services: Services, installation: Installation
) -> None:
    email = fresh_email()
    async with serving(Sink()) as sink:
        configured = with_server(services, sink)
        transport = httpx2.ASGITransport(app=create_app(configured, installation))
        async with (
            working(configured, HANDLERS),
            httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http,
        ):
            invitation = await invited(Client(http, acme.live.headers), "viewer", email)
            await until(lambda: any(envelope.rcpt_tos == [email] for envelope in sink.taken))

    [message] = [message for message in sink.messages if message["To"].addresses[0].addr_spec == email]
    body = message.get_body(("plain",))
    assert body is not None
    assert (invitation["mailed"], str(message["Subject"])) == (True, "Invitación a Acme")
    token = body.get_content().partition("#token=")[2].split()[0]
    assert (await accepted(acme.world, token, password=PASSWORD)).status_code == 200


async def test_without_a_mail_server_whoever_invites_is_told(acme: Organization) -> None:
    assert (await invited(acme.live))["mailed"] is False


async def test_nor_does_it_go_to_an_address_that_mail_does_not_know(acme: Organization) -> None:
    assert (await invited(acme.live, email=f"peña-{fresh_email()}"))["mailed"] is False
