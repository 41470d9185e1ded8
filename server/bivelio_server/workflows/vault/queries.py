"""Every query on secrets, each built from the caller."""

from collections.abc import Iterable

from sqlalchemy import func, select

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.rows import business, count_of, page_of
from bivelio_server.workflows.vault.models import WorkflowSecret
from bivelio_server.workflows.vault.schemas import SecretList


async def hold_alone(context: Context) -> None:
    """Until the transaction ends nobody else adds or removes one."""
    tenant = f"workflow_secrets {context.caller.org_id} {context.caller.environment.value}"
    await context.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(tenant, 0))))


async def find(context: Context, name: str) -> WorkflowSecret | None:
    found: WorkflowSecret | None = await context.session.scalar(
        business(WorkflowSecret, context.caller).where(WorkflowSecret.name == name)
    )
    return found


async def get(context: Context, name: str) -> WorkflowSecret:
    """Raises NotFound."""
    found = await find(context, name)
    if found is None:
        raise NotFound("name")
    return found


async def named(context: Context, names: Iterable[str]) -> list[WorkflowSecret]:
    """Those of these names that exist, as they are now."""
    query = business(WorkflowSecret, context.caller).where(WorkflowSecret.name.in_(list(names)))
    return list(await context.session.scalars(query.execution_options(populate_existing=True)))


async def count(context: Context) -> int:
    return await count_of(context.session, business(WorkflowSecret, context.caller))


async def list_secrets(context: Context, data: SecretList) -> tuple[list[WorkflowSecret], int]:
    """One page, the newest first, and how many there are in all."""
    query = business(WorkflowSecret, context.caller)
    return await page_of(
        context.session, query.order_by(WorkflowSecret.created_at.desc(), WorkflowSecret.id.desc()), data
    )
