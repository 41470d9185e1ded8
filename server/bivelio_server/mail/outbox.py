"""The outbox: messages queued in the transaction that causes them, sent by the workers, at least once."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from prometheus_client import Counter

from bivelio_server.durable import Run, spawn
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text
from bivelio_server.mail import queries
from bivelio_server.mail.port import MAIL, Message

TASK: Final = "mail.send"
#: The pauses between attempts: a server that is away for a day is waited for.
PAUSES: Final = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720))
_NOBODY: Final = UUID(int=0)
_log = structlog.get_logger()

ATTEMPTS: Final = Counter("bivelio_mail_attempts_total", "Attempts at sending e-mail by outcome.", ["outcome"])


def goes_out(context: Context) -> bool:
    """Whether mail goes out for this caller: in the sandbox it does, to the simulated provider."""
    return context.services.providers.of(MAIL, context.services, context.caller) is not None


async def enqueue(context: Context, message: Message) -> bool:
    """Send the message once this transaction is committed. False, and nothing queued, when no mail goes out here."""
    if not goes_out(context):
        return False
    mail_id = new_id("mail")
    task_id = await spawn(context, TASK, {"mail_id": mail_id})
    cipher = context.services.cipher
    await queries.add(context.session, context.caller, cipher, mail_id, message, task_id, context.now)
    return True


async def send_mail(run: Run) -> None:
    """The handler of the durable task `mail.send`. A crash after the sending sends again, with the same Message-ID."""
    caller = _sender(run)
    async with run.transaction() as session:
        queued = await queries.queued(session, caller, run.services.cipher, run.params["mail_id"])
    if queued is not None:
        message, attempts = queued
        await _settle(run, caller, attempts, await _attempt(run, caller, message))


async def _attempt(run: Run, caller: Caller, message: Message) -> IntegrationFailed | None:
    if run.kills_workers:
        return IntegrationRefused(_BROKE_OFF)
    mailer = run.services.providers.of(MAIL, run.services, caller)
    if mailer is None:
        return IntegrationFailed()  # the setting is gone since; it may come back
    try:
        await mailer.send(message, f"{caller.org_id}.{caller.environment.value}.{run.params['mail_id']}")
    except IntegrationFailed as error:
        ATTEMPTS.labels("failed" if error.retryable else "refused").inc()
        return error
    ATTEMPTS.labels("sent").inc()
    return None


async def _settle(run: Run, caller: Caller, attempts: int, error: IntegrationFailed | None) -> None:
    now, mail_id = run.services.clock.now(), run.params["mail_id"]
    rendered = error.render(DEFAULT_LANGUAGE) if error else None
    async with run.transaction() as session:
        if error is not None and error.retryable and attempts < len(PAUSES):
            await queries.count_failure(session, caller, mail_id, rendered or {})
            await run.sleep_until(session, now + PAUSES[attempts])
        else:
            await queries.finish(session, caller, mail_id, rendered, now)
            await run.finish(session)
    if error is not None:
        _log.warning("mail_not_sent", organization_id=str(run.org_id), mail_id=mail_id, error=error.text.en)


def _sender(run: Run) -> Caller:
    return Caller(run.org_id, run.environment, "system:mail", _NOBODY, frozenset())


_BROKE_OFF: Final = Text(
    "El proceso que enviaba este mensaje se interrumpió una y otra vez.",
    "The process that sent this message broke off again and again.",
)
