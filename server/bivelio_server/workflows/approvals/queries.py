"""Every query on approvals, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Select, and_, any_, or_

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, count_of, identity
from bivelio_server.members.addressing import Addressee
from bivelio_server.workflows.approvals.models import Approval
from bivelio_server.workflows.approvals.schemas import ApprovalList
from bivelio_server.workflows.models import Instance, Workflow

# A run writes directly: what it does is told by its steps, not by the audit log.
_ADD: Final = """
    insert into workflow_approvals (org_id, environment, id, instance_id, workflow_id, path, status, title, message,
                                    approver_roles, approver_users, deadline, default_decision, created_at)
    values (%(org_id)s, %(environment)s, %(id)s, %(instance_id)s, %(workflow_id)s, %(path)s, 'pending', %(title)s,
            %(message)s, %(approver_roles)s, %(approver_users)s, %(deadline)s, %(default_decision)s, %(created_at)s)
"""
_END: Final = """
    update workflow_approvals
       set status = %(status)s, decided_at = case when %(status)s = 'expired' then null else %(now)s::timestamptz end
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s and status = 'pending'
    returning id
"""
_CANCEL: Final = """
    update workflow_approvals set status = 'cancelled'
     where org_id = %(org_id)s and environment = %(environment)s and instance_id = %(instance_id)s
       and status = 'pending' and (%(paths)s::text[] is null or path = any (%(paths)s))
"""
_TELL: Final = """
    update workflow_approvals a set told_at = %(now)s
      from workflows w join organizations o on o.id = w.org_id
     where a.org_id = %(org_id)s and a.environment = %(environment)s and a.status = 'pending' and a.told_at is null
       and a.created_at between %(now)s - interval '3 days' and %(now)s
       and w.org_id = a.org_id and w.environment = a.environment and w.id = a.workflow_id
    returning a.id, a.title, a.approver_roles, a.approver_users, a.deadline, w.name as workflow_name, o.name, o.locale
"""


class Found(NamedTuple):
    """An approval, and of its run what deciding needs: the task that waits for it."""

    approval: Approval
    workflow_name: str
    task_id: UUID | None


class Untold(NamedTuple):
    """What those who may decide are mailed, and whose it is."""

    id: str
    title: str
    approver_roles: list[str]
    approver_users: list[str]
    deadline: datetime | None
    workflow_name: str
    organization: str
    locale: str


async def add(context: Context, row: dict[str, Any]) -> None:
    await context.session.run(_ADD, {**identity(context.caller), **row})


async def get(context: Context, approval_id: str, *, lock: bool = False) -> Found:
    """Raises NotFound."""
    query = _all(context).where(Approval.id == approval_id)
    if lock:
        query = query.with_for_update(of=Approval).execution_options(populate_existing=True)
    row = (await context.session.execute(query)).first() if is_well_formed(approval_id) else None
    if row is None:
        raise NotFound("approval_id")
    return Found(*row)


async def list_approvals(context: Context, data: ApprovalList, person: Addressee | None) -> tuple[list[Found], int]:
    """A page, newest first, and how many there are; only those that wait for `person`, if one is given."""
    given = {name: getattr(data, name) for name in ("status", "instance_id", "workflow_id")}
    wanted = [getattr(Approval, name) == value for name, value in given.items() if value is not None]
    if person is not None:
        wanted += [Approval.status == "pending", _waits_for(person)]
    total = await count_of(context.session, business(Approval, context.caller).where(*wanted))
    page = (
        _all(context)
        .where(*wanted)
        .order_by(Approval.created_at.desc(), Approval.id.desc())
        .limit(data.per_page)
        .offset(data.offset)
    )
    return [Found(*row) for row in await context.session.execute(page)], total


async def end(context: Context, approval_id: str, status: str) -> bool:
    """What its deadline makes of it; false when it is not pending any more."""
    values = {"id": approval_id, "status": status, "now": context.now}
    return bool(await context.session.run(_END, {**identity(context.caller), **values}))


async def cancel(context: Context, instance_id: str, paths: Sequence[str] | None) -> None:
    """Those of the run that are pending, at these paths or at any."""
    given = list(paths) if paths is not None else None
    await context.session.run(_CANCEL, {**identity(context.caller), "instance_id": instance_id, "paths": given})


async def tell(context: Context) -> list[Untold]:
    """The pending ones of the last three days that nobody was mailed of, in no order; from now on somebody was."""
    rows = await context.session.run(_TELL, {**identity(context.caller), "now": context.now})
    return [Untold(*row) for row in rows]


def _all(context: Context) -> Select[Any]:
    key = Approval.org_id, Approval.environment
    workflow = and_(Workflow.org_id == key[0], Workflow.environment == key[1], Workflow.id == Approval.workflow_id)
    run = and_(Instance.org_id == key[0], Instance.environment == key[1], Instance.id == Approval.instance_id)
    return (
        business(Approval, context.caller)
        .join(Workflow, workflow)
        .join(Instance, run)
        .add_columns(Workflow.name, Instance.task_id)
    )


def _waits_for(person: Addressee) -> Any:
    return or_(any_(Approval.approver_roles) == person.role, any_(Approval.approver_users) == person.email.lower())
