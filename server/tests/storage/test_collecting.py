"""A file goes after the last row that refers to it, whichever way that row went, and nothing else goes."""

import os
from datetime import timedelta

import psycopg
import pytest

from bivelio_server.chores import PRUNINGS
from bivelio_server.durable.pruning import prune
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import StorageKey
from bivelio_server.sandbox.purge import purge_all
from bivelio_server.storage.collecting import collect, sweep
from tests.storage.arranging import files_of, refer, run_of, stored_output
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("others_keep_everything")]


def made_before(services: Services, key: StorageKey, *, hours: float) -> None:
    then = (services.clock.now() - timedelta(hours=hours)).timestamp()
    os.utime(services.settings.storage_folder / key, (then, then))


async def test_a_file_stays_while_a_row_refers_to_it(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    stored = await stored_output(services, owner, acme, await run_of(acme.live))

    clock.advance(days=2)
    await collect(services)
    await sweep(services)

    assert await files_of(services, acme) == [stored.key]


async def test_it_goes_with_the_runs_that_are_pruned(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    kept = await stored_output(services, owner, rival, await run_of(rival.live))
    for _ in range(3):
        await stored_output(services, owner, acme, await run_of(acme.live))
    owner.execute(
        "update workflow_instances set status = 'completed', started_at = started_at - interval '91 days',"
        " finished_at = started_at - interval '91 days' where org_id = %s",
        (acme.id,),
    )

    await prune(services, PRUNINGS)
    await collect(services)

    assert await files_of(services, acme) == []
    assert await files_of(services, rival) == [kept.key]


async def test_it_goes_with_the_sandbox(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    live = await stored_output(services, owner, acme, await run_of(acme.live))
    await stored_output(services, owner, acme, await run_of(acme.sandbox), environment="sandbox")

    clock.advance(hours=25)
    await purge_all(services)
    await collect(services)

    assert await files_of(services, acme) == [live.key]


async def test_it_goes_when_the_sandbox_is_cleared(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    await stored_output(services, owner, acme, await run_of(acme.sandbox), environment="sandbox")

    await acme.sandbox.call("/v1/sandbox/reset", {})
    await collect(services)

    assert await files_of(services, acme) == []


async def test_it_goes_with_its_organisation(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    await stored_output(services, owner, acme, await run_of(acme.live))
    await stored_output(services, owner, acme, await run_of(acme.sandbox), environment="sandbox")

    await acme.owner.call("/v1/organization/delete", {"confirm_name": "Acme"})
    clock.advance(days=31)
    await prune(services, PRUNINGS)
    await collect(services)

    assert await files_of(services, acme) == []


async def test_one_of_two_rows_that_share_it_may_go(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    first, second = await run_of(acme.live), await run_of(acme.live)
    stored = await stored_output(services, owner, acme, first)
    refer(owner, acme, second, stored.as_json())

    refer(owner, acme, first, None)
    await collect(services)
    shared = await files_of(services, acme)
    refer(owner, acme, second, None)
    await collect(services)

    assert shared == [stored.key]
    assert await files_of(services, acme) == []


async def test_a_change_that_is_rolled_back_removes_nothing(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    instance_id = await run_of(acme.live)
    stored = await stored_output(services, owner, acme, instance_id)

    with owner.transaction(force_rollback=True):
        refer(owner, acme, instance_id, None)
    await collect(services)

    assert await files_of(services, acme) == [stored.key]


async def test_what_never_came_to_have_a_row_goes_a_day_later(acme: Organization, services: Services) -> None:
    orphan = StorageKey.of(acme.id, "live", "runs", "orphan")
    await services.storage.put(orphan, b"content")

    made_before(services, orphan, hours=23)
    await sweep(services)
    soon = await files_of(services, acme)
    made_before(services, orphan, hours=25)
    await sweep(services)

    assert soon == [orphan]
    assert await files_of(services, acme) == []


async def test_nothing_goes_while_a_backup_is_made(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    instance_id = await run_of(acme.live)
    stored = await stored_output(services, owner, acme, instance_id)
    refer(owner, acme, instance_id, None)
    made_before(services, stored.key, hours=25)

    owner.execute("select pg_advisory_lock_shared(hashtext('bivelio'), hashtext('storage'))")
    try:
        await collect(services)
        await sweep(services)
        meanwhile = await files_of(services, acme)
    finally:
        owner.execute("select pg_advisory_unlock_shared(hashtext('bivelio'), hashtext('storage'))")
    await collect(services)

    assert meanwhile == [stored.key]
    assert await files_of(services, acme) == []
