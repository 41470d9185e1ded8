"""What is old goes: by what each organisation keeps, in small pieces, and what was deleted once it cannot come back."""

from uuid import UUID

import psycopg
import psycopg.types.json
import pytest

from bivelio_server.chores import PRUNINGS
from bivelio_server.durable import pruning
from bivelio_server.durable.pruning import prune
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.pruning import OrganisationPruning
from tests.permissions.tables import rows_of
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("others_keep_everything")]


def keep(owner: psycopg.Connection, organization: Organization, **days: int | None) -> None:
    """The organisation's retention settings."""
    owner.execute(
        "update organizations set retention = %s where id = %s", (psycopg.types.json.Jsonb(days), organization.id)
    )


def count(owner: psycopg.Connection, table: str, organization: Organization) -> int:
    row = owner.execute(f"select count(*) from {table} where org_id = %s", (organization.id,)).fetchone()
    assert row is not None
    return int(row[0])


def age(owner: psycopg.Connection, table: str, column: str, organization: Organization, days: int) -> None:
    owner.execute(
        f"update {table} set {column} = {column} - make_interval(days => %s) where org_id = %s", (days, organization.id)
    )


async def test_events_are_kept_as_long_as_their_organisation_says(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, events_days=30)
    for organization in (acme, rival):
        for name in ("Old", "Older", "New"):
            await organization.live.call("/v1/contacts/create", {"name": name})
        owner.execute(
            "update events set occurred_at = occurred_at - interval '31 days'"
            " where org_id = %s and data ->> 'name' <> 'New'",
            (organization.id,),
        )

    await prune(services, PRUNINGS)

    assert (count(owner, "events", acme), count(owner, "events", rival)) == (1, 3)


async def test_it_takes_small_pieces_until_nothing_is_left(
    acme: Organization, services: Services, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "_BATCH", 3)
    keep(owner, acme, events_days=1)
    for number in range(8):
        await acme.live.call("/v1/contacts/create", {"name": f"{number}"})
    age(owner, "events", "occurred_at", acme, 2)

    removed = await prune(services, [OrganisationPruning("events_days", "prune_events")])

    assert removed >= 8
    assert count(owner, "events", acme) == 0


async def test_an_event_goes_with_its_deliveries_but_not_while_one_is_under_way(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, events_days=1)
    hook = {"url": "https://example.com/hook", "events": ["contact.created"]}
    await acme.live.call("/v1/webhooks/create", hook)
    for name in ("Delivered", "Under way"):
        await acme.live.call("/v1/contacts/create", {"name": name})
    owner.execute(
        "update webhook_deliveries d set status = 'delivered', next_attempt_at = null, finished_at = now()"
        " from events e where e.org_id = %s and e.id = d.event_id and e.org_id = d.org_id"
        " and e.data ->> 'name' = 'Delivered'",
        (acme.id,),
    )
    age(owner, "events", "occurred_at", acme, 2)

    await prune(services, PRUNINGS)

    assert (count(owner, "events", acme), count(owner, "webhook_deliveries", acme)) == (1, 1)


async def test_what_is_parked_for_a_paused_endpoint_stays_however_old(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, events_days=1, deliveries_days=1)
    made = await acme.live.call("/v1/webhooks/create", {"url": "https://example.com/x", "events": ["contact.created"]})
    await acme.live.call("/v1/contacts/create", {"name": "Announced"})
    await acme.live.call("/v1/webhooks/update", {"webhook_id": made["webhook_id"], "status": "paused"})
    age(owner, "events", "occurred_at", acme, 2)

    await prune(services, PRUNINGS)

    assert (count(owner, "events", acme), count(owner, "webhook_deliveries", acme)) == (1, 1)
    await acme.live.call("/v1/webhooks/update", {"webhook_id": made["webhook_id"], "status": "active"})
    due = owner.execute("select next_attempt_at from webhook_deliveries where org_id = %s", (acme.id,)).fetchone()
    assert due is not None
    assert due[0] is not None


async def test_a_delivery_that_is_being_sent_again_is_left_alone(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, events_days=1, deliveries_days=1)
    await acme.live.call("/v1/webhooks/create", {"url": "https://example.com/x", "events": ["contact.created"]})
    await acme.live.call("/v1/contacts/create", {"name": "Announced"})
    owner.execute(
        "update webhook_deliveries set status = 'failed', next_attempt_at = null,"
        " finished_at = now() - interval '2 days' where org_id = %s",
        (acme.id,),
    )
    age(owner, "events", "occurred_at", acme, 2)

    with owner.transaction():
        owner.execute(
            "update webhook_deliveries set status = 'pending', finished_at = null, next_attempt_at = now()"
            " where org_id = %s",
            (acme.id,),
        )
        await prune(services, PRUNINGS)

    assert (count(owner, "events", acme), count(owner, "webhook_deliveries", acme)) == (1, 1)


async def test_finished_runs_go_with_their_steps_and_open_ones_stay(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, runs_days=7)
    steps = [{"id": "made", "uses": "contacts.create", "with": {"name": "x"}}]
    workflow = await acme.live.call("/v1/workflows/create", {"name": "Runs", "steps": steps})
    for _ in range(2):
        await acme.live.call("/v1/workflows/execute", {"workflow_id": workflow["id"]})
    age(owner, "workflow_instances", "started_at", acme, 8)
    owner.execute(
        "update workflow_instances set status = 'completed', finished_at = started_at where org_id = %s"
        " and id = (select min(id) from workflow_instances where org_id = %s)",
        (acme.id, acme.id),
    )

    await prune(services, PRUNINGS)

    assert count(owner, "workflow_instances", acme) == 1


async def test_what_was_deleted_goes_for_good_after_thirty_days(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    company = await acme.live.call("/v1/contacts/create", {"name": "Company", "type": "company"})
    person = await acme.live.call("/v1/contacts/create", {"name": "Person", "company_id": company["id"]})
    workflow = await _deleted_workflow(acme)
    endpoint = await _deleted_endpoint(acme)
    await acme.live.call("/v1/contacts/delete", {"id": company["id"]})
    before = await _ids_of_deleted(owner, acme)

    clock.advance(days=29)
    await prune(services, PRUNINGS)
    still = await _ids_of_deleted(owner, acme)
    clock.advance(days=2)
    await prune(services, PRUNINGS)

    assert before == still == {company["id"], workflow, endpoint}
    assert await _ids_of_deleted(owner, acme) == set()
    assert (await acme.live.call("/v1/contacts/get", {"id": person["id"]}))["company_id"] is None


async def _deleted_workflow(acme: Organization) -> str:
    steps = [{"id": "wait", "wait": {"seconds": 1}}]
    made = await acme.live.call("/v1/workflows/create", {"name": "Gone", "steps": steps})
    await acme.live.call("/v1/workflows/delete", {"id": made["id"]})
    return str(made["id"])


async def _deleted_endpoint(acme: Organization) -> str:
    made = await acme.live.call("/v1/webhooks/create", {"url": "https://example.com/x", "events": ["contact.created"]})
    await acme.live.call("/v1/contacts/create", {"name": "Announced"})
    await acme.live.call("/v1/webhooks/delete", {"webhook_id": made["webhook_id"]})
    return str(made["webhook_id"])


async def _ids_of_deleted(owner: psycopg.Connection, acme: Organization) -> set[str]:
    rows = owner.execute(
        "select id from contacts where org_id = %(org)s and deleted_at is not null"
        " union all select id from workflows where org_id = %(org)s and deleted_at is not null"
        " union all select id from webhook_endpoints where org_id = %(org)s and deleted_at is not null",
        {"org": acme.id},
    )
    return {id_ for (id_,) in rows}


async def test_sign_ins_that_cannot_be_renewed_are_forgotten(
    acme: Organization, services: Services, owner: psycopg.Connection, clock: MovableClock
) -> None:
    await acme.sign_in()
    clock.advance(days=45)
    living = await acme.sign_in()
    clock.advance(days=20)

    await prune(services, PRUNINGS)

    assert count(owner, "sign_in_sessions", acme) == 1
    renewed = await acme.world.http.post(
        "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": living["refresh_token"]}
    )
    assert renewed.status_code == 200


async def test_finished_jobs_are_kept_as_runs_are(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    keep(owner, acme, runs_days=30)
    for _ in range(2):
        await acme.live.call("/v1/contacts/export", {"format": "csv"})
    old = owner.execute(
        "update jobs set created_at = created_at - interval '31 days', finished_at = created_at - interval '31 days',"
        " status = 'completed' where id = (select min(id) from jobs where org_id = %s) returning id",
        (acme.id,),
    ).fetchone()

    await prune(services, PRUNINGS)

    left = owner.execute("select id from jobs where org_id = %s", (acme.id,)).fetchall()
    assert len(left) == 1
    assert old not in left


async def test_a_deleted_organisation_goes_with_all_it_had_after_thirty_days(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    await filled(acme)
    await filled(rival)
    before = rows_of(owner, rival.id)
    await acme.owner.call("/v1/organization/delete", {"confirm_name": "Acme"})

    await prune(services, PRUNINGS)
    kept = rows_of(owner, acme.id)
    owner.execute("update organizations set deleted_at = deleted_at - interval '31 days' where id = %s", (acme.id,))
    await prune(services, PRUNINGS)

    assert {name for name, rows in kept if rows} >= {"contacts", "organizations", "webhook_endpoints", "workflows"}
    assert {name for name, rows in rows_of(owner, acme.id) if rows} == set()
    assert rows_of(owner, rival.id) == before


async def test_a_deleted_organisation_takes_its_people_with_it(
    acme: Organization, rival: Organization, services: Services, owner: psycopg.Connection
) -> None:
    everybody = [acme.owner, acme.person("editor"), acme.person("viewer"), acme.person("viewer")]
    _, only_here, elsewhere, awaited = (person.user_id for person in everybody)
    for person in everybody:
        _give_second_factor(owner, person.user_id)
    _let_in(owner, rival, elsewhere)
    gone_later = acme.world.organization("Later")
    _let_in(owner, gone_later, awaited)
    acme_owner = acme.owner_id
    for organization, name in ((acme, "Acme"), (gone_later, "Later")):
        await organization.owner.call("/v1/organization/delete", {"confirm_name": name})

    owner.execute("update organizations set deleted_at = deleted_at - interval '31 days' where id = %s", (acme.id,))
    await prune(services, PRUNINGS)
    kept = _users(owner, acme_owner, only_here, elsewhere, awaited)
    owner.execute(
        "update organizations set deleted_at = deleted_at - interval '31 days' where id = %s", (gone_later.id,)
    )
    await prune(services, PRUNINGS)

    assert kept == {elsewhere, awaited}
    assert _users(owner, elsewhere, awaited) == {elsewhere}
    left = owner.execute(
        "select user_id from recovery_codes where user_id = any (%(ids)s)"
        " union select user_id from user_identities where user_id = any (%(ids)s)"
        " union select user_id from sign_in_sessions where user_id = any (%(ids)s)",
        {"ids": [person.user_id for person in everybody]},
    ).fetchall()
    assert left == [(elsewhere,)]


def _give_second_factor(owner: psycopg.Connection, user_id: UUID) -> None:
    owner.execute("insert into recovery_codes values (%s, %s, now())", (user_id, user_id.bytes))
    owner.execute("insert into user_identities values ('https://login.example.com', %s, %s, now())", (user_id, user_id))


def _let_in(owner: psycopg.Connection, organization: Organization, user_id: UUID) -> None:
    owner.execute("insert into members values (%s, %s, 'viewer', now())", (organization.id, user_id))


def _users(owner: psycopg.Connection, *ids: UUID) -> set[UUID]:
    return {user_id for (user_id,) in owner.execute("select id from users where id = any (%s)", (list(ids),))}


async def filled(organization: Organization) -> None:
    """A company with somebody in it, a webhook, a workflow that has run, a job."""
    client = organization.live
    company = await client.call("/v1/contacts/create", {"type": "company", "name": "Empresa ABC"})
    await client.call("/v1/webhooks/create", {"url": "http://127.0.0.1:1/", "events": ["contact.created"]})
    workflow = await client.call("/v1/workflows/create", {"name": "A", "steps": [{"id": "a", "set": {"b": 1}}]})
    await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"]})
    await client.call("/v1/contacts/create", {"name": "Maria", "company_id": company["id"]})
    await client.call("/v1/contacts/export", {"format": "csv"})
    await client.call("/v1/keys/create", {"name": "ERP"})
