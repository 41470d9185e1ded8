"""Messages queued with what causes them, and sent by the workers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest
from pydantic import SecretStr

from bivelio_server.app import HANDLERS
from bivelio_server.durable import MAX_LOST
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.mail import Message, outbox
from tests.mail.sink import Sink, serving
from tests.workflows.arranging import later, until
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

LETTER = Message("maria@example.com", "Invitación", "Entra en https://acme.example.com/i/secret-token", "María")


@pytest.fixture
async def worker(services: Services) -> AsyncIterator[None]:
    async with working(services, HANDLERS):
        yield


async def queue(
    services: Services, organization: Organization, message: Message, environment: Environment = Environment.sandbox
) -> bool:
    user_id = UUID(organization.made.user_id)
    caller = Caller(organization.id, environment, f"user:{user_id}", user_id, frozenset({"admin"}))
    async with transaction(caller, services, Origin(Door.http)) as context:
        return await outbox.enqueue(context, message)


def outcome(owner: psycopg.Connection, organization: Organization) -> list[Any]:
    return owner.execute(
        "select status, attempts, body is null, error ->> 'code' from mail_outbox where org_id = %s", (organization.id,)
    ).fetchall()


async def settled(owner: psycopg.Connection, organization: Organization) -> list[Any]:
    async def is_settled() -> bool:
        return all(row[0] != "queued" for row in outcome(owner, organization))

    await until(is_settled)
    return outcome(owner, organization)


async def tried(owner: psycopg.Connection, organization: Organization, attempts: int) -> None:
    async def is_tried() -> bool:
        return bool(outcome(owner, organization)[0][1] == attempts)

    await until(is_tried)


async def kept(organization: Organization, **filters: str) -> list[dict[str, Any]]:
    page = await organization.sandbox.call("/v1/sandbox/list_messages", filters)
    found: list[dict[str, Any]] = page["messages"]
    return found


async def test_in_the_sandbox_the_developer_sees_what_would_have_been_sent(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection, worker: None
) -> None:
    assert await queue(services, acme, LETTER)

    assert await settled(owner, acme) == [("sent", 1, True, None)]
    [message] = await kept(acme)
    shown = {
        "channel": "email", "recipient": "maria@example.com", "recipient_name": "María", "subject": "Invitación",
        "body": LETTER.text, "outcome": "sent",
    }  # fmt: skip
    assert {name: message[name] for name in shown} == shown
    assert len(await kept(acme, channel="email", recipient="maria@example.com")) == 1
    assert await kept(acme, channel="whatsapp") == await kept(rival) == []


async def test_what_waits_is_encrypted(acme: Organization, services: Services, owner: psycopg.Connection) -> None:
    await queue(services, acme, LETTER)

    [(row,)] = owner.execute("select m::text from mail_outbox m where org_id = %s", (acme.id,)).fetchall()
    assert "secret-token" not in row
    assert b"secret-token".hex() not in row


async def test_a_bounce_is_final(
    acme: Organization, services: Services, owner: psycopg.Connection, worker: None
) -> None:
    await queue(services, acme, Message("bounce@simulator.bivelio.test", "Aviso", "Hola"))

    assert await settled(owner, acme) == [("failed", 1, True, "INTEGRATION_ERROR")]
    assert [message["outcome"] for message in await kept(acme)] == ["refused"]


async def test_a_passing_failure_is_tried_again_later(
    acme: Organization, services: Services, owner: psycopg.Connection, worker: None
) -> None:
    await queue(services, acme, Message("flaky@simulator.bivelio.test", "Aviso", "Hola"))
    await tried(owner, acme, 1)

    await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": 60})

    assert await settled(owner, acme) == [("sent", 2, True, None)]
    assert [(message["outcome"], message["attempts"]) for message in await kept(acme)] == [("sent", 2)]


async def test_a_failure_that_never_passes_is_given_up(
    acme: Organization, services: Services, owner: psycopg.Connection, worker: None
) -> None:
    await queue(services, acme, Message("timeout@simulator.bivelio.test", "Aviso", "Hola"))

    for attempt, pause in enumerate(outbox.PAUSES, 1):
        await tried(owner, acme, attempt)
        await acme.sandbox.call("/v1/sandbox/advance_clock", {"seconds": int(pause.total_seconds())})

    assert await settled(owner, acme) == [("failed", len(outbox.PAUSES) + 1, True, "INTEGRATION_ERROR")]


async def test_a_message_that_kills_its_workers_is_given_up(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    await queue(services, acme, LETTER)
    owner.execute("update absurd.r_work set lost = %s where org_id = %s", (MAX_LOST, acme.id))

    async with working(services, HANDLERS):
        assert await settled(owner, acme) == [("failed", 1, True, "INTEGRATION_ERROR")]
    assert await kept(acme) == []


async def test_live_mail_without_a_server_is_not_queued_and_the_caller_told(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    assert not await queue(services, acme, LETTER, Environment.live)
    assert outcome(owner, acme) == []


async def test_live_mail_goes_through_the_server_and_sandbox_mail_never_does(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    async with serving(Sink()) as sink:
        configured = with_server(services, sink)
        async with working(configured, HANDLERS):
            assert await queue(configured, acme, LETTER, Environment.live)
            assert await queue(configured, acme, Message("other@example.com", "Sandbox", "Hola"))
            await settled(owner, acme)

    assert [envelope.rcpt_tos for envelope in sink.taken] == [["maria@example.com"]]
    assert [message["recipient"] for message in await kept(acme)] == ["other@example.com"]


async def test_after_a_crash_it_comes_again_as_the_same_message(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    async with serving(Sink()) as sink:
        configured = with_server(services, sink)
        await queue(configured, acme, LETTER, Environment.live)
        async with working(configured, HANDLERS):
            await settled(owner, acme)
            _forget_the_outcome(owner, acme, configured)
            later(configured, clock, seconds=1)
            await settled(owner, acme)

    assert len({message["Message-ID"] for message in sink.messages}) == 1
    assert len(sink.taken) == 2


def with_server(services: Services, sink: Sink) -> Services:
    url = SecretStr(f"smtp://127.0.0.1:{sink.port}?from=BiVelio%20<avisos@example.com>")
    return replace(services, settings=services.settings.model_copy(update={"smtp_url": url}))


def _forget_the_outcome(owner: psycopg.Connection, organization: Organization, services: Services) -> None:
    """As if the worker had died between the sending and its record."""
    [(mail_id, task_id)] = owner.execute(
        "select id, task_id from mail_outbox where org_id = %s", (organization.id,)
    ).fetchall()
    place = f"mail_outbox.body {organization.id} live {mail_id}"
    owner.execute(
        "update mail_outbox set status = 'queued', finished_at = null, body = %s where id = %s",
        (services.cipher.encrypt(LETTER.text, row=place), mail_id),
    )
    owner.execute("update absurd.r_work set state = 'pending', available_at = now() where task_id = %s", (task_id,))
    owner.execute("update absurd.t_work set state = 'pending' where task_id = %s", (task_id,))
