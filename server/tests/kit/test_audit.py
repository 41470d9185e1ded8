"""The audit log: every write, by whom, through which door, with what it changed; and nothing else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.app import FEATURES, HANDLERS, create_app
from bivelio_server.installation import Installation
from bivelio_server.kit import audit
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.operations import Catalogue
from tests.workflows.arranging import create_contact, run, workflow
from tests.workflows.couriers import Courier
from tests.working import working
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

CREATE, UPDATE, LIST = "/v1/contacts/create", "/v1/contacts/update", "/v1/contacts"
SECRET = "a signing secret of our own"


async def entries(organization: Organization, **filters: Any) -> list[dict[str, Any]]:
    """Newest first."""
    found: list[dict[str, Any]] = (await organization.live.call("/v1/audit/list", filters))["entries"]
    return found


async def test_a_write_tells_who_where_and_what(acme: Organization) -> None:
    client = acme.key("write")
    headers = {**client.headers, "X-Request-Id": "request-of-ana"}

    made = await Client(client.http, headers).call(CREATE, {"name": "Ana", "email": "ana@example.com"})

    [entry] = await entries(acme)
    key = (await acme.live.call("/v1/keys/list"))["keys"][0]
    assert (entry["operation"], entry["door"], entry["request_id"]) == ("contacts.create", "http", "request-of-ana")
    assert (entry["actor"], entry["on_behalf_of"], entry["cause"]) == (f"key:{key['id']}", None, None)
    assert (entry["resource_type"], entry["resource_id"]) == ("contacts", made["id"])
    assert (entry["address"], entry["at"]) == ("127.0.0.1", made["created_at"])
    assert entry["before"] is None
    assert {name: entry["after"][name] for name in ("name", "email", "version")} == {
        "name": "Ana", "email": "ana@example.com", "version": 1,
    }  # fmt: skip


async def test_a_person_is_named(acme: Organization) -> None:
    person = acme.world.bearer((await acme.sign_in())["access_token"])

    await person.call(CREATE, {"name": "Ana"})

    assert (await entries(acme))[0]["actor"] == f"user:{acme.made.user_id}"


async def test_a_change_shows_what_changed_and_how(acme: Organization) -> None:
    made = await acme.live.call(CREATE, {"name": "Ana", "tags": ["lead"], "custom_fields": {"a": 1, "b": True}})

    await acme.live.call(UPDATE, {"id": made["id"], "name": "Eva", "tags": ["vip"], "custom_fields": {"b": 1}})

    entry = (await entries(acme))[0]
    before, after = entry["before"], entry["after"]
    assert set(before) == set(after) == {"name", "tags", "custom_fields", "version", "updated_at"}
    assert (before["name"], before["tags"], before["version"]) == ("Ana", ["lead"], 1)
    assert (after["name"], after["tags"], after["version"]) == ("Eva", ["vip"], 2)
    assert (before["custom_fields"], after["custom_fields"]) == ({"a": 1, "b": True}, {"a": 1, "b": 1})


async def test_what_follows_from_other_columns_is_left_out(acme: Organization) -> None:
    await acme.live.call(CREATE, {"name": "Ana", "email": "ANA@example.com"})

    after = (await entries(acme))[0]["after"]

    assert {"email_key", "own_search", "company_search", "org_id", "environment"}.isdisjoint(after)


async def test_deleting_and_restoring_are_changes(acme: Organization) -> None:
    made = await acme.live.call(CREATE, {"name": "Ana"})
    await acme.live.call("/v1/contacts/delete", {"id": made["id"]})
    await acme.live.call("/v1/contacts/restore", {"id": made["id"]})

    restored, deleted, _ = await entries(acme, resource_id=made["id"])

    assert (deleted["before"]["deleted_at"], deleted["after"]["deleted_at"] is None) == (None, False)
    assert (restored["before"]["deleted_at"], restored["after"]["deleted_at"]) == (
        deleted["after"]["deleted_at"], None,
    )  # fmt: skip


async def test_what_changes_nothing_is_told_all_the_same(acme: Organization) -> None:
    made = await acme.live.call(CREATE, {"name": "Ana"})

    await acme.live.call(UPDATE, {"id": made["id"], "name": "Ana"})

    entry = (await entries(acme))[0]
    assert (entry["operation"], entry["resource_id"], entry["before"], entry["after"]) == (
        "contacts.update", None, None, None,
    )  # fmt: skip


async def test_reading_leaves_no_trace(acme: Organization) -> None:
    await acme.live.call(LIST)
    await acme.live.call("/v1/keys/list")

    assert await entries(acme) == []


async def test_secrets_are_masked(acme: Organization, owner: psycopg.Connection) -> None:
    data = {"url": "https://example.com/hook", "events": ["contact.created"], "secret": SECRET}
    await acme.live.call("/v1/webhooks/create", data)
    key = await acme.live.call("/v1/keys/create", {"name": "ERP"})

    made = await entries(acme, resource_type="api_keys")

    assert made[0]["after"]["digest"] == "***"
    text = "".join(row[0] for row in owner.execute("select t::text from audit_log t where org_id = %s", (acme.id,)))
    assert "webhooks.create" in text
    assert SECRET not in text
    assert SECRET.encode().hex() not in text
    assert key["key"] not in text
    assert key["key"][11:35] not in text


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        (CREATE, {"name": ""}, 400),
        (CREATE, {"name": "Ana", "company_id": "ct_missing"}, 404),
        (UPDATE, {"id": "ct_missing", "name": "Eva"}, 404),
        ("/v1/keys/create", {"name": "x", "scopes": ["nothing:read"]}, 422),
        ("/v1/nowhere", {}, 404),
    ],
)
async def test_a_refused_write_leaves_nothing(acme: Organization, path: str, data: dict[str, Any], status: int) -> None:
    assert (await acme.live.post(path, data)).status_code == status

    assert await entries(acme) == []


async def test_neither_does_who_may_not_or_comes_too_late(acme: Organization) -> None:
    made = await acme.live.call(CREATE, {"name": "Ana"})
    replies = [
        await acme.world.anonymous.post(CREATE, {"name": "Eva"}),
        await acme.key("read").post(CREATE, {"name": "Eva"}),
        await acme.live.post(UPDATE, {"id": made["id"], "name": "Eva", "if_version": 7}),
    ]

    assert [reply.status_code for reply in replies] == [401, 403, 409]
    assert len(await entries(acme)) == 1


async def test_each_changed_resource_has_an_entry_of_its_own(acme: Organization) -> None:
    made = await acme.live.call("/v1/keys/create", {"name": "ERP"})
    rotated = await acme.live.call("/v1/keys/rotate", {"id": made["id"]})

    found = [(entry["operation"], entry["resource_id"]) for entry in await entries(acme)]

    assert sorted(found) == sorted(
        [("keys.rotate", rotated["id"]), ("keys.rotate", made["id"]), ("keys.create", made["id"])]
    )


async def test_a_workflow_step_names_the_workflow_and_whom_it_acts_for(acme: Organization, services: Services) -> None:
    person = acme.world.bearer((await acme.sign_in())["access_token"])
    made = await workflow(person, create_contact())
    async with working(services, HANDLERS):
        instance = await run(acme.live, made)

    [entry] = await entries(acme, operation="contacts.create")
    assert (entry["actor"], entry["on_behalf_of"]) == (f"workflow:{made['id']}", f"user:{acme.made.user_id}")
    assert (entry["door"], entry["cause"]) == ("workflow", f"run:{instance['instance_id']}")
    assert (entry["request_id"], entry["address"], entry["after"]["name"]) == (None, None, "Maria Garcia")


@asynccontextmanager
async def client_of(
    courier: Courier, services: Services, installation: Installation, organization: Organization
) -> AsyncIterator[Client]:
    """Of a server that also sends parcels."""
    depot = replace(services, catalogue=Catalogue((*FEATURES, courier.feature())))
    transport = httpx2.ASGITransport(app=create_app(depot, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield Client(http, organization.live.headers)


async def test_an_outside_call_is_told_whether_it_succeeds_or_not(
    acme: Organization, services: Services, installation: Installation
) -> None:
    async def out_of_order() -> None:
        raise IntegrationFailed

    courier = Courier(on_call=[out_of_order])
    async with client_of(courier, services, installation, acme) as client:
        replies = [await client.post("/v1/parcels/send", {"to": "Ana"}) for _ in range(2)]

    noted = [entry["after"]["name"] for entry in reversed(await entries(acme, operation="parcels.send"))]
    assert [reply.status_code for reply in replies] == [503, 200]
    assert noted == ["prepared", "failed IntegrationFailed", "prepared", "recorded"]


async def test_no_write_without_its_entry(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr(audit, "write", broken)
        reply = await acme.live.post(CREATE, {"name": "Ana"})

    assert reply.status_code == 503
    assert (await acme.live.call(LIST))["pagination"]["total"] == 0


async def test_each_environment_and_organization_has_its_own(acme: Organization, rival: Organization) -> None:
    await acme.sandbox.call(CREATE, {"name": "Ana"})
    await rival.live.call(CREATE, {"name": "Eva"})

    in_sandbox = (await acme.sandbox.call("/v1/audit/list"))["entries"]

    assert [entry["after"]["name"] for entry in in_sandbox] == ["Ana"]
    assert await entries(acme) == []


@pytest.mark.parametrize("statement", ["update audit_log set actor = 'nobody'", "delete from audit_log"])
async def test_nobody_who_serves_can_rewrite_it(installation: Installation, statement: str) -> None:
    with (
        psycopg.connect(installation.serving_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)
