"""Leaving a notice in the transaction of what it is about, be it a request's or a worker's."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.text import Text

_NOTIFY: Final = """
    insert into notices (org_id, id, environment, kind, resource_id, text, details, created_at)
    values (%(org_id)s, %(id)s, %(environment)s, %(kind)s, %(resource_id)s, cast(%(text)s as jsonb),
            cast(%(details)s as jsonb), %(now)s)
"""
_NOTIFY_UNLESS_UNREAD: Final = """
    insert into notices (org_id, id, environment, kind, resource_id, text, details, created_at, mailed_at)
    select %(org_id)s, %(id)s, %(environment)s, %(kind)s, %(resource_id)s, cast(%(text)s as jsonb),
           cast(%(details)s as jsonb), %(now)s, %(now)s
     where not exists (
        select from notices
         where org_id = %(org_id)s and environment = %(environment)s and kind = %(kind)s
           and resource_id = %(resource_id)s and read_at is null)
"""


async def notify(
    session: Transaction,
    *,
    org_id: UUID,
    environment: Environment,
    kind: str,
    resource_id: str | None,
    text: Text,
    details: Mapping[str, Any],
    now: datetime,
) -> str:
    """The id of a new notice to the organisation's owners. `kind` is what happened: `webhook.disabled`."""
    row = _row(org_id, environment, kind, resource_id, text, details, now)
    await session.run(_NOTIFY, row)
    return str(row["id"])


async def remind(
    session: Transaction,
    *,
    org_id: UUID,
    environment: Environment,
    kind: str,
    resource_id: str,
    text: Text,
    details: Mapping[str, Any],
    now: datetime,
) -> None:
    """As `notify`, but not while one of its kind about the same resource is unread, and nobody is mailed of it."""
    await session.run(_NOTIFY_UNLESS_UNREAD, _row(org_id, environment, kind, resource_id, text, details, now))


def _row(
    org_id: UUID,
    environment: Environment,
    kind: str,
    resource_id: str | None,
    text: Text,
    details: Mapping[str, Any],
    now: datetime,
) -> dict[str, Any]:
    return {
        "org_id": org_id,
        "id": new_id("ntc"),
        "environment": environment.value,
        "kind": kind,
        "resource_id": resource_id,
        "text": json.dumps(text._asdict()).decode(),
        "details": json.dumps(details).decode(),
        "now": now,
    }
