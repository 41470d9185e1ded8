"""The settings of an organisation."""

from typing import Any

import psycopg
import pytest

from tests.world import Organization

pytestmark = pytest.mark.anyio

GET, UPDATE = "/v1/organization/get", "/v1/organization/update"
DEFAULTS = {
    "events_days": 90,
    "deliveries_days": 30,
    "requests_days": 30,
    "audit_days": 730,
    "runs_days": 90,
    "runs_kept": 10_000,
}


async def test_a_new_organization_has_the_defaults(acme: Organization) -> None:
    found = await acme.live.call(GET)

    assert (found["id"], found["name"], found["version"]) == (str(acme.id), "Acme", 1)
    assert (found["timezone"], found["locale"], found["currency"]) == ("Europe/Madrid", "es", "EUR")
    assert found["retention"] == DEFAULTS


async def test_only_what_is_given_changes(acme: Organization) -> None:
    changed = await acme.live.call(
        UPDATE,
        {"name": "Acme Canarias", "timezone": "Atlantic/Canary", "retention": {"runs_days": 7, "audit_days": None}},
    )

    assert (changed["name"], changed["timezone"], changed["currency"]) == ("Acme Canarias", "Atlantic/Canary", "EUR")
    assert changed["retention"] == {**DEFAULTS, "runs_days": 7, "audit_days": None}
    assert changed["version"] == 2
    assert await acme.live.call(GET) == changed


async def test_the_same_again_is_no_change(acme: Organization) -> None:
    assert (await acme.live.call(UPDATE, {"currency": "EUR"}))["version"] == 1


async def test_a_stale_version_is_refused(acme: Organization) -> None:
    await acme.live.call(UPDATE, {"currency": "USD", "if_version": 1})

    reply = await acme.live.post(UPDATE, {"currency": "EUR", "if_version": 1})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"timezone": "localtime"}, "timezone"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": None}, "timezone"),
        ({"locale": "fr"}, "locale"),
        ({"currency": "eur"}, "currency"),
        ({"currency": "XYZ"}, "currency"),
        ({"name": " "}, "name"),
        ({"retention": {"runs_days": 0}}, "retention.runs_days"),
        ({"retention": {"runs_days": 3651}}, "retention.runs_days"),
        ({"retention": {"runs_kept": 0}}, "retention.runs_kept"),
        ({"retention": {"contacts_days": 5}}, "retention.contacts_days"),
        ({"plan": "enterprise"}, "plan"),
    ],
)
async def test_refuses(acme: Organization, data: dict[str, Any], field: str) -> None:
    reply = await acme.live.post(UPDATE, data)

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == field
    assert (await acme.live.call(GET))["version"] == 1


async def test_the_schema_describes_them(acme: Organization) -> None:
    schema = (await acme.live.call("/v1/organization/settings_schema"))["json_schema"]

    assert schema["properties"]["timezone"]["default"] == "Europe/Madrid"
    assert schema["$defs"]["Retention"]["properties"]["audit_days"]["default"] == 730


async def test_who_changed_them_is_in_the_audit_log(acme: Organization, owner: psycopg.Connection) -> None:
    await acme.live.call(UPDATE, {"currency": "USD"})

    row = owner.execute(
        "select operation, resource_id, before ->> 'currency', after ->> 'currency' from audit_log"
        " where org_id = %s and resource_type = 'organizations'",
        (acme.id,),
    ).fetchone()
    assert row == ("organization.update", str(acme.id), "EUR", "USD")
