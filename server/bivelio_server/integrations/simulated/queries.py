"""What the simulated providers keep, and who may read it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from bivelio_server.integrations.simulated.models import SimulatedMessage
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import PageInput
from bivelio_server.kit.rows import business, identity, page_of

# The same message again is the same row, whatever became of it before.
_KEEP: Final = text("""
    insert into simulated_messages as m
        (org_id, environment, id, channel, recipient, recipient_name, subject, body, outcome, attempts, key, created_at,
         updated_at)
    values (:org_id, :environment, :id, :channel, :recipient, :name, :subject, :body, (:outcomes)[1], 1, :key, :now,
            :now)
    on conflict (org_id, environment, channel, key) do update
        set attempts = m.attempts + 1, updated_at = excluded.updated_at,
            outcome = case when m.outcome = 'sent' then 'sent'
                           else (:outcomes)[least(m.attempts + 1, cardinality(:outcomes))] end
    returning outcome
""").bindparams(bindparam("outcomes", type_=ARRAY(Text)))


async def keep(
    session: Transaction,
    caller: Caller,
    *,
    channel: str,
    recipient: str,
    name: str | None,
    subject: str | None,
    body: str,
    key: str,
    outcomes: Sequence[str],
    now: datetime,
) -> str:
    """Keep one attempt at a message; what comes of it, of `outcomes`: one for each attempt, the last for all others."""
    values = {
        **identity(caller), "id": new_id("sim"), "channel": channel, "recipient": recipient, "name": name,
        "subject": subject, "body": body, "key": key, "outcomes": list(outcomes), "now": now,
    }  # fmt: skip
    outcome: str = await session.scalar(_KEEP, values)
    return outcome


async def list_messages(
    context: Context, page: PageInput, channel: str | None, recipient: str | None
) -> tuple[list[SimulatedMessage], int]:
    """Newest first."""
    query = business(SimulatedMessage, context.caller)
    if channel is not None:
        query = query.where(SimulatedMessage.channel == channel)
    if recipient is not None:
        query = query.where(SimulatedMessage.recipient == recipient)
    newest_first = query.order_by(SimulatedMessage.created_at.desc(), SimulatedMessage.id.desc())
    return await page_of(context.session, newest_first, page)
