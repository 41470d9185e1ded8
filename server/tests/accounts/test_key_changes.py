"""API keys: looked at, changed, limited in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.accounts.test_keys import made_key, set_role
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

CREATE, GET, UPDATE, REVOKE = "/v1/keys/create", "/v1/keys/get", "/v1/keys/update", "/v1/keys/revoke"
CONTACTS = "/v1/contacts"


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def refused(client: Client, path: str, data: dict[str, Any]) -> tuple[int, str, str | None]:
    reply = await client.post(path, data)
    error = reply.json()["error"]
    return reply.status_code, error["code"], error.get("details", {}).get("field")


async def test_shows_all_but_the_secret(acme: Organization) -> None:
    key = await made_key(acme.live)

    shown = await acme.live.call(GET, {"id": key["id"]})

    assert shown == {name: value for name, value in key.items() if name != "key"}
    assert (shown["api_version"], shown["allowed_origins"], shown["expires_at"]) == ("2026-04-07", [], None)
    assert (shown["last_used_at"], shown["last_used_address"], shown["rotation"]) == (None, None, None)
    assert (shown["rotated_from"], shown["version"]) == (None, 1)


async def test_changes_what_is_given_and_nothing_else(acme: Organization, clock: MovableClock) -> None:
    key = await made_key(acme.live, scopes=["read"])
    end = stamp(clock.now() + timedelta(days=30))

    changed = await acme.live.call(UPDATE, {"id": key["id"], "name": "CRM", "expires_at": end})

    expected = {**key, "name": "CRM", "expires_at": end, "version": 2}
    del expected["key"]
    assert changed == expected == await acme.live.call(GET, {"id": key["id"]})


async def test_a_change_of_scopes_holds_at_once(acme: Organization) -> None:
    key = await made_key(acme.live, scopes=["read"])
    client = acme.world.client(key["key"])
    assert (await client.post("/v1/contacts/create", {"name": "Ana"})).status_code == 403

    await acme.live.call(UPDATE, {"id": key["id"], "scopes": ["contacts:write"]})

    assert (await client.post("/v1/contacts/create", {"name": "Ana"})).status_code == 200
    assert (await client.post("/v1/workflows")).status_code == 403


async def test_a_change_that_changes_nothing_is_none(acme: Organization) -> None:
    key = await made_key(acme.live, scopes=["read"])

    changed = await acme.live.call(UPDATE, {"id": key["id"], "name": key["name"], "scopes": ["read"]})

    assert changed["version"] == 1


async def test_refuses_a_stale_version(acme: Organization) -> None:
    key = await made_key(acme.live)
    await acme.live.call(UPDATE, {"id": key["id"], "name": "CRM", "if_version": 1})

    assert (await refused(acme.live, UPDATE, {"id": key["id"], "name": "x", "if_version": 1}))[:2] == (409, "CONFLICT")


@pytest.mark.parametrize("name", ["name", "scopes", "allowed_origins"])
async def test_refuses_null_where_a_value_must_stand(acme: Organization, name: str) -> None:
    key = await made_key(acme.live)

    assert await refused(acme.live, UPDATE, {"id": key["id"], name: None}) == (400, "VALIDATION_ERROR", name)


async def test_a_revoked_key_cannot_be_changed(acme: Organization) -> None:
    key = await made_key(acme.live)
    await acme.live.call(REVOKE, {"id": key["id"]})

    assert (await refused(acme.live, UPDATE, {"id": key["id"], "name": "x"}))[:2] == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("held", "of_key", "wanted"),
    [
        (["keys:admin", "contacts:read"], ["contacts:read"], {"scopes": ["contacts:write"]}),
        (["keys:admin", "write"], ["read"], {"scopes": ["admin"]}),
        (["keys:admin"], ["write"], {"name": "x"}),
        (["keys:admin"], ["write"], {"expires_at": None}),
        (["keys:admin"], ["write"], {"scopes": ["keys:read"]}),
    ],
)
async def test_nobody_changes_beyond_their_own_rights(
    acme: Organization, held: list[str], of_key: list[str], wanted: dict[str, Any]
) -> None:
    key = await made_key(acme.live, scopes=of_key)

    assert await refused(acme.key(*held), UPDATE, {"id": key["id"], **wanted}) == (
        403, "AUTH_INSUFFICIENT_SCOPE", "scopes",
    )  # fmt: skip
    assert (await acme.live.call(GET, {"id": key["id"]}))["version"] == 1


async def test_no_key_is_widened_past_the_key_that_made_it(acme: Organization) -> None:
    maker = await made_key(acme.live, scopes=["keys:admin", "contacts:write"])
    key = await made_key(acme.world.client(maker["key"]), scopes=["contacts:read"])

    beyond = await refused(acme.live, UPDATE, {"id": key["id"], "scopes": ["workflows:read"]})
    within = await acme.live.call(UPDATE, {"id": key["id"], "scopes": ["contacts:write"]})

    assert beyond == (403, "AUTH_INSUFFICIENT_SCOPE", "scopes")
    assert within["scopes"] == ["contacts:write"]


async def test_no_key_is_widened_past_what_its_person_may_now(acme: Organization, owner: psycopg.Connection) -> None:
    admin = acme.member("admin")
    key = await made_key(acme.key("admin", made_by=admin), scopes=["read"])
    set_role(owner, acme, admin, "viewer")

    assert (await refused(acme.live, UPDATE, {"id": key["id"], "scopes": ["write"]}))[0] == 403
    assert (await acme.live.call(UPDATE, {"id": key["id"], "scopes": ["contacts:read"]}))["version"] == 2


async def test_an_expired_key_is_refused_to_the_second_and_may_come_back(
    acme: Organization, clock: MovableClock
) -> None:
    key = await made_key(acme.live, expires_at=stamp(clock.now() + timedelta(hours=1)))
    client = acme.world.client(key["key"])
    clock.advance(minutes=59, seconds=57)
    assert (await client.post(CONTACTS)).status_code == 200

    clock.advance(seconds=3)
    reply = await client.post(CONTACTS)
    await acme.live.call(UPDATE, {"id": key["id"], "expires_at": None})

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_EXPIRED_TOKEN")
    assert (await client.post(CONTACTS)).status_code == 200


@pytest.mark.parametrize("path", [CREATE, UPDATE])
async def test_an_end_in_the_past_is_refused(acme: Organization, clock: MovableClock, path: str) -> None:
    key = await made_key(acme.live)
    data = {"name": "x"} if path == CREATE else {"id": key["id"]}

    assert await refused(acme.live, path, {**data, "expires_at": stamp(clock.now())}) == (
        422, "VALIDATION_ERROR", "expires_at",
    )  # fmt: skip


async def test_what_a_key_makes_ends_no_later_than_it(acme: Organization, clock: MovableClock) -> None:
    end, later = stamp(clock.now() + timedelta(days=1)), stamp(clock.now() + timedelta(days=2))
    maker = await made_key(acme.live, scopes=["admin"], expires_at=end)
    client = acme.world.client(maker["key"])

    made = await made_key(client)

    assert made["expires_at"] == end
    assert (await refused(client, CREATE, {"name": "x", "expires_at": later}))[2] == "expires_at"
    for expires_at in (later, None):
        assert await refused(client, UPDATE, {"id": maker["id"], "expires_at": expires_at}) == (
            422, "VALIDATION_ERROR", "expires_at",
        )  # fmt: skip


async def test_origins_are_kept_as_browsers_write_them(acme: Organization) -> None:
    origins = ["https://App.Example.com", "https://app.example.com:443/", "http://localhost:5173", "https://a.b:8443"]

    key = await made_key(acme.live, type="publishable", allowed_origins=origins)

    assert key["allowed_origins"] == ["https://app.example.com", "http://localhost:5173", "https://a.b:8443"]


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "null",
        "",
        "app.example.com",
        "http://app.example.com",
        "https://*.example.com",
        "https://app.example.com/page",
        "https://app.example.com?x",
        "https://user@app.example.com",
        "https://app.example.com:0",
        "https://app.example.com:99999",
        "https://app.example.com:x",
        "https://añb.example.com",
        "https://exa mple.com",
        "https://[::1",
        "https://-a.example.com",
        "ftp://localhost",
        "https://",
        "https://a.example.com\r\nX: y",
    ],
)
async def test_what_is_no_origin_is_refused_by_its_place(acme: Organization, origin: str) -> None:
    data = {"name": "x", "type": "publishable", "allowed_origins": ["https://ok.example.com", origin]}

    assert await refused(acme.live, CREATE, data) == (422, "VALIDATION_ERROR", "allowed_origins[1]")


async def test_a_secret_key_has_no_origins(acme: Organization) -> None:
    key = await made_key(acme.live)

    for path, data in ((CREATE, {"name": "x"}), (UPDATE, {"id": key["id"]})):
        wanted = {**data, "allowed_origins": ["https://app.example.com"]}
        assert await refused(acme.live, path, wanted) == (422, "VALIDATION_ERROR", "allowed_origins")


async def test_changes_are_in_the_audit_log_without_the_secret(acme: Organization) -> None:
    maker = await made_key(acme.live, scopes=["admin"])
    child = await made_key(acme.world.client(maker["key"]))
    await acme.live.call(UPDATE, {"id": child["id"], "name": "CRM"})
    await acme.live.call(REVOKE, {"id": maker["id"]})

    entries = (await acme.live.call("/v1/audit/list"))["entries"]

    told = [(entry["operation"], entry["resource_id"]) for entry in entries]
    assert told[2:] == [("keys.update", child["id"]), ("keys.create", child["id"]), ("keys.create", maker["id"])]
    assert sorted(told[:2]) == sorted([("keys.revoke", maker["id"]), ("keys.revoke", child["id"])])
    assert (entries[2]["before"], entries[2]["after"]) == (
        {"name": "ERP", "version": 1}, {"name": "CRM", "version": 2},
    )  # fmt: skip
    assert entries[3]["after"]["digest"] == "***"
