"""Telling an organisation's owners by e-mail what they have been told in a notice.

Only live notices are mailed, and only while they are news: with a mail server that is set up later, nobody gets those
of the past.
"""

from typing import Final
from uuid import UUID

import structlog

from bivelio_server.durable import Lane, LaneRun
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import DEFAULT_LANGUAGE, LANGUAGES, Text
from bivelio_server.mail import Message, outbox
from bivelio_server.notices import queries
from bivelio_server.notices.queries import Unmailed

_NOBODY: Final = UUID(int=0)
_log = structlog.get_logger()


async def mail_notices(run: LaneRun) -> None:
    """Queue a message to each owner for each notice, and mark the notice, in one transaction."""
    caller = Caller(run.org_id, run.environment, "system:notices", _NOBODY, frozenset())
    async with run.transaction() as session:
        context = Context(caller, session, run.services, Origin(Door.workflow))
        notices = await queries.unmailed(context)
        for notice in notices:
            for address in await queries.owner_addresses(context):
                await _enqueue(context, address, notice)
        await queries.mark_mailed(context, [notice.id for notice in notices])
    for topic in context.topics:
        run.services.wakeups.wake(topic)


#: One of an organisation's notices is mailed after the other; there is no hurry.
LANE: Final = Lane(
    kind="notices", topic="notices", due="select org_id, environment, key from notices_to_mail(%s)", drain=mail_notices
)


async def _enqueue(context: Context, address: str, notice: Unmailed) -> None:
    language = LANGUAGES.get(notice.locale[:2], DEFAULT_LANGUAGE)
    try:
        message = Message(
            address,
            _SUBJECT.in_language(language).format(organization=notice.organization),
            _BODY.in_language(language).format(
                organization=notice.organization, text=notice.text[language], kind=notice.kind,
                resource=notice.resource_id or "", at=f"{notice.created_at:%Y-%m-%d %H:%M} UTC",
            ),
        )  # fmt: skip
    except IntegrationRefused as refusal:
        _log.warning("notice_not_mailed", organization_id=str(context.caller.org_id), error=refusal.text.en)
        return
    await outbox.enqueue(context, message)


_SUBJECT: Final = Text("{organization}: aviso de BiVelio", "{organization}: a notice from BiVelio")
_BODY: Final = Text(
    "{text}\n\n{kind} {resource}\n{at}\n\nRecibes este correo por ser propietario de {organization}.\n",
    "{text}\n\n{kind} {resource}\n{at}\n\nYou get this e-mail as an owner of {organization}.\n",
)
