"""Keeping triggers going: when the organisation's time zone is another one, and whatever has stopped them."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from bivelio_server.durable import Chore, Run
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.execution import transaction
from bivelio_server.workflows import queries as workflows
from bivelio_server.workflows.definition import CronTrigger, Definition
from bivelio_server.workflows.triggers import queries
from bivelio_server.workflows.triggers.ticking import mend, plan
from bivelio_server.workflows.triggers.unattended import NOBODY, ORIGIN

_MOST: Final = 500
_log = structlog.get_logger()


async def follow_timezone(run: Run) -> None:
    """The handler of the durable task `organization.timezone_changed`: schedules that go by it are planned anew."""
    for environment in Environment:
        caller = _caller(run.org_id, environment, "organization")
        async with transaction(caller, run.services, ORIGIN) as context:
            following = await queries.following_organization(context)
        for workflow_id in following:
            async with transaction(caller, run.services, ORIGIN) as context:
                trigger = await _active_schedule(context, workflow_id)
                if trigger is not None:
                    await plan(context, workflow_id, trigger)


async def mend_schedules(services: Services) -> int:
    """Let schedules go on that have stopped though they should not have; how many."""
    mended = 0
    for org_id, environment, workflow_id in await queries.to_mend(services.database, _MOST):
        try:
            await _mend(services, org_id, Environment(environment), workflow_id)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others go on
            _log.error("schedule_not_mended", workflow=workflow_id, exc_info=error)
        else:
            mended += 1
    return mended


CHORE: Final = Chore("schedules", timedelta(minutes=1), mend_schedules)


async def _mend(services: Services, org_id: UUID, environment: Environment, workflow_id: str) -> None:
    caller = _caller(org_id, environment, f"workflow:{workflow_id}")
    async with transaction(caller, services, ORIGIN) as context:
        trigger = await _active_schedule(context, workflow_id)
        if trigger is not None:
            await mend(context, workflow_id, trigger)


async def _active_schedule(context: Context, workflow_id: str) -> CronTrigger | None:
    """That of a workflow that is active, while nobody changes it."""
    try:
        workflow = await workflows.get(context, workflow_id, lock=True)
    except NotFound:
        return None
    version = await workflows.get_version(context, workflow)
    trigger = Definition.model_validate(version.definition).trigger
    return trigger if workflow.status == "active" and isinstance(trigger, CronTrigger) else None


def _caller(org_id: UUID, environment: Environment, actor: str) -> Caller:
    return Caller(org_id, environment, actor, NOBODY, frozenset())
