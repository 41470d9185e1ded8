"""One contract for every `Mailer`: the real adapter and the simulated one pass the same tests."""

from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest

from bivelio_server.integrations.simulated import SimulatedMailer
from bivelio_server.integrations.smtp import SmtpMailer, SmtpServer
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.mail import Message
from tests.mail.sink import Sink, serving
from tests.mail.stages import Letter, Stage, read_sandbox, read_sink
from tests.world import Organization

pytestmark = pytest.mark.anyio

#: What some program takes for the end of a line.
BREAKS = [
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x85",
    "\u2028",
    "\u2029",
    "\x00",
    "\r\n ",
]


@pytest.fixture(params=["smtp", "simulated"])
async def stage(
    request: pytest.FixtureRequest, services: Services, acme: Organization, owner: psycopg.Connection
) -> AsyncIterator[Stage]:
    if request.param == "simulated":
        caller = Caller(acme.id, Environment.sandbox, "system:mail", acme.id, frozenset())
        mailer = SimulatedMailer(services, caller, slow_seconds=0.1)
        yield Stage(mailer, "simulator.bivelio.test", lambda: read_sandbox(owner, acme))
        return
    async with serving(Sink()) as sink:
        server = SmtpServer.at(f"smtp://127.0.0.1:{sink.port}?from=BiVelio%20<avisos@example.com>")
        yield Stage(SmtpMailer(server, services.clock), "sink.example.com", lambda: read_sink(sink))


async def test_a_message_arrives_as_it_was_written(stage: Stage) -> None:
    text = "Hola, Peña:\n\n.\nUna línea que empieza por punto:\n.así\n" + "larga " * 300 + "\nAdiós ✓"

    await stage.mailer.send(Message("maria@example.com", "Invitación a «Acme»", text, "María Peña"), "key-1")

    assert stage.arrived() == [Letter("maria@example.com", "María Peña", "Invitación a «Acme»", text)]


async def test_the_same_key_is_the_same_message(stage: Stage) -> None:
    message = Message("maria@example.com", "Aviso", "Hola")

    for key in ("key-1", "key-1", "key-2"):
        await stage.mailer.send(message, key)

    assert len(stage.arrived()) == 2


async def test_a_refusal_for_good_says_why(stage: Stage) -> None:
    with pytest.raises(IntegrationRefused) as refusal:
        await stage.mailer.send(Message(f"bounce@{stage.domain}", "Aviso", "Hola"), "key-1")

    assert (refusal.value.retryable, refusal.value.details["reply"][:9]) == (False, "550 5.1.1")
    assert stage.arrived() == []


async def test_a_refusal_for_now_may_be_tried_again(stage: Stage) -> None:
    with pytest.raises(IntegrationFailed) as refusal:
        await stage.mailer.send(Message(f"timeout@{stage.domain}", "Aviso", "Hola"), "key-1")

    assert (refusal.value.retryable, refusal.value.details["reply"][0]) == (True, "4")
    assert stage.arrived() == []


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_subject_and_name_stay_in_one_line(stage: Stage, line_break: str) -> None:
    hostile = f"Acme{line_break}Bcc: victim@example.com{line_break}{line_break}<p>"

    await stage.mailer.send(Message("maria@example.com", hostile, "Hola", hostile), "key-1")

    one_line = "Acme Bcc: victim@example.com <p>"
    assert stage.arrived() == [Letter("maria@example.com", one_line, one_line, "Hola")]


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
@pytest.mark.parametrize(
    "address", ["maria{}@example.com", "maria@example.com{}Bcc: a@example.com", "{}maria@example.com"]
)
async def test_an_address_that_is_none_is_refused(stage: Stage, line_break: str, address: str) -> None:
    with pytest.raises(IntegrationRefused):
        await stage.mailer.send(Message(address.format(line_break), "Aviso", "Hola"), "key-1")

    assert stage.arrived() == []


@pytest.mark.parametrize("to", ["a@b.com, c@d.com", "Maria <a@b.com>", "a@b@c.com", "", "a", "a b@c.com", "peña@c.com"])
async def test_one_recipient_and_nothing_else(stage: Stage, to: str) -> None:
    with pytest.raises(IntegrationRefused):
        await stage.mailer.send(Message(to, "Aviso", "Hola"), "key-1")


async def test_a_domain_beyond_ascii_is_written_as_the_network_does(stage: Stage) -> None:
    await stage.mailer.send(Message("maria@peña.example.com", "Aviso", "Hola"), "key-1")

    assert [letter.to for letter in stage.arrived()] == ["maria@xn--pea-8ma.example.com"]


@pytest.mark.parametrize("text", ["", "\n", "\r\n.\r\nMAIL FROM:<evil@example.com>\r\n", "a\rb", "\x00", "a\u2028b"])
async def test_no_text_ends_the_message(stage: Stage, text: str) -> None:
    await stage.mailer.send(Message("maria@example.com", "Aviso", text), "key-1")
    await stage.mailer.send(Message("maria@example.com", "Aviso", "after"), "key-2")

    letters: list[Any] = stage.arrived()
    assert (len(letters), letters[1].text) == (2, "after")
