"""The rows of the outbox. They are written directly: a message is a consequence, not a change that anybody made.

The body is encrypted, as it may hold a link that opens a door, and is dropped once the message is settled.
"""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.rows import identity
from bivelio_server.kit.secrets import Cipher
from bivelio_server.mail.port import Message

_ADD: Final = """
    insert into mail_outbox
        (org_id, environment, id, recipient, recipient_name, subject, body, status, attempts, task_id, created_at)
    values (%(org_id)s, %(environment)s, %(id)s, %(recipient)s, %(recipient_name)s, %(subject)s, %(body)s, 'queued', 0,
            %(task_id)s, %(now)s)
"""
_QUEUED: Final = """
    select recipient, recipient_name, subject, body, attempts from mail_outbox
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s and status = 'queued'
"""
_COUNT: Final = """
    update mail_outbox set attempts = attempts + 1, error = cast(%(error)s as jsonb)
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""
_FINISH: Final = """
    update mail_outbox set attempts = attempts + 1, error = cast(%(error)s as jsonb), status = %(status)s,
           finished_at = %(now)s, body = null
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""


async def add(
    session: Transaction, caller: Caller, cipher: Cipher, mail_id: str, message: Message, task_id: UUID, now: datetime
) -> None:
    row = {
        **_key(caller, mail_id),
        "recipient": message.to,
        "recipient_name": message.name,
        "subject": message.subject,
        "body": cipher.encrypt(message.text, row=_place(caller, mail_id)),
        "task_id": task_id,
        "now": now,
    }
    await session.run(_ADD, row)


async def queued(session: Transaction, caller: Caller, cipher: Cipher, mail_id: str) -> tuple[Message, int] | None:
    """The message and how often it was tried; None when it is settled or gone (sandbox rows are purged)."""
    rows = await session.run(_QUEUED, _key(caller, mail_id))
    if not rows:
        return None
    [row] = rows
    text = cipher.decrypt(row.body, row=_place(caller, mail_id))
    return Message(row.recipient, row.subject, text, row.recipient_name), row.attempts


async def count_failure(session: Transaction, caller: Caller, mail_id: str, error: dict[str, Any]) -> None:
    """One more attempt that failed for now."""
    await session.run(_COUNT, {**_key(caller, mail_id), "error": _as_json(error)})


async def finish(
    session: Transaction, caller: Caller, mail_id: str, error: dict[str, Any] | None, now: datetime
) -> None:
    """Sent, or given up with the error."""
    values = {"error": _as_json(error), "status": "failed" if error else "sent", "now": now}
    await session.run(_FINISH, {**_key(caller, mail_id), **values})


def _key(caller: Caller, mail_id: str) -> dict[str, Any]:
    return {**identity(caller), "id": mail_id}


def _place(caller: Caller, mail_id: str) -> str:
    """Names the row that the body is bound to."""
    return f"mail_outbox.body {caller.org_id} {caller.environment.value} {mail_id}"


def _as_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value).decode()
