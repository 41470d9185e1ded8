"""Telling those who may decide by e-mail that something waits for them.

What is new in an organisation is told together, at most every few minutes, so that a loop over ten thousand items is
one message. As with notices, only what is live and still news is mailed.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from bivelio_server.durable import Lane, LaneRun
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import DEFAULT_LANGUAGE, LANGUAGES, Language, Text
from bivelio_server.mail import Message, outbox
from bivelio_server.mail.port import one_line
from bivelio_server.members.addressing import members_meant
from bivelio_server.workflows.approvals import queries
from bivelio_server.workflows.approvals.asking import TOPIC
from bivelio_server.workflows.approvals.queries import Untold

_MOST_NAMED: Final = 20
_NOBODY: Final = UUID(int=0)
_log = structlog.get_logger()


async def mail_approvers(run: LaneRun) -> None:
    """Queue a message to each person for all that is new, and mark that, in one transaction."""
    caller = Caller(run.org_id, run.environment, "system:approvals", _NOBODY, frozenset())
    async with run.transaction() as session:
        context = Context(caller, session, run.services, Origin(Door.workflow))
        told = await queries.tell(context)
        for address, approvals in (await _by_person(context, told)).items():
            await _enqueue(context, address, approvals)
    for topic in context.topics:
        run.services.wakeups.wake(topic)


LANE: Final = Lane(
    kind="approvals",
    topic=TOPIC,
    due="select org_id, environment, key from approvals_to_mail(%s)",
    drain=mail_approvers,
)


async def _by_person(context: Context, told: Sequence[Untold]) -> dict[str, list[Untold]]:
    alike: dict[tuple[frozenset[str], frozenset[str]], list[Untold]] = defaultdict(list)
    for approval in told:
        alike[frozenset(approval.approver_roles), frozenset(approval.approver_users)].append(approval)
    found: dict[str, list[Untold]] = defaultdict(list)
    for (roles, users), approvals in alike.items():
        for person in await members_meant(context, [*roles], [*users]):
            found[person.email].extend(approvals)
    return found


async def _enqueue(context: Context, address: str, approvals: Sequence[Untold]) -> None:
    newest_first = sorted(approvals, key=lambda approval: approval.id, reverse=True)
    organization, locale = approvals[0].organization, approvals[0].locale
    language = LANGUAGES.get(locale[:2], DEFAULT_LANGUAGE)
    lines = [_line(approval, language) for approval in newest_first[:_MOST_NAMED]]
    if len(approvals) > _MOST_NAMED:
        lines.append(_MORE.in_language(language).format(number=len(approvals) - _MOST_NAMED))
    try:
        message = Message(
            address,
            _SUBJECT.in_language(language).format(organization=organization, number=len(approvals)),
            _BODY.in_language(language).format(organization=organization, lines="\n\n".join(lines)),
        )
    except IntegrationRefused as refusal:
        _log.warning("approver_not_mailed", organization_id=str(context.caller.org_id), error=refusal.text.en)
        return
    await outbox.enqueue(context, message)


def _line(approval: Untold, language: Language) -> str:
    until = approval.deadline
    by = "" if until is None else _BY.in_language(language).format(until=f"{until:%Y-%m-%d %H:%M} UTC")
    return f"- {one_line(approval.title)}\n  {one_line(approval.workflow_name)}, {approval.id}{by}"


_SUBJECT: Final = Text("{organization}: {number} por decidir", "{organization}: {number} to decide")
_BY: Final = Text(", antes de {until}", ", before {until}")
_MORE: Final = Text("… y {number} más.", "… and {number} more.")
_BODY: Final = Text(
    "Espera tu decisión:\n\n{lines}\n\nPuedes aprobar o rechazar con workflows/decide; todo lo pendiente está en"
    " workflows/list_approvals.\n\nRecibes este correo porque puedes decidir esto en {organization}.\n",
    "Waiting for your decision:\n\n{lines}\n\nYou can approve or reject with workflows/decide; all that is pending is"
    " in workflows/list_approvals.\n\nYou get this e-mail because you may decide this at {organization}.\n",
)
