"""API keys: made, listed, revoked, and what they may do."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from bivelio_server.accounts.api_keys import digest_of, generate_key, is_well_formed_key
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services
from tests.permissions.tables import table_names
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

CREATE, LIST, REVOKE = "/v1/keys/create", "/v1/keys/list", "/v1/keys/revoke"
CONTACTS = "/v1/contacts"


async def made_key(client: Client, **data: Any) -> dict[str, Any]:
    key: dict[str, Any] = await client.call(CREATE, {"name": "ERP", **data})
    return key


async def test_a_new_key_works_at_once(acme: Organization) -> None:
    key = await made_key(acme.live, scopes=["read"])

    assert key["key"].startswith("bv_live_sk_")
    assert (key["prefix"], key["last4"]) == ("bv_live_sk_", key["key"][-4:])
    assert (key["type"], key["environment"], key["scopes"]) == ("secret", "live", ["read"])
    assert (key["created_by"], key["revoked_at"]) == (acme.made.user_id, None)
    assert (await acme.world.client(key["key"]).post(CONTACTS)).status_code == 200


async def test_is_shown_once(acme: Organization) -> None:
    key = await made_key(acme.live)

    listed = await acme.live.post(LIST)

    assert key["id"] in listed.text
    assert key["key"] not in listed.text
    assert set(listed.json()["data"]["keys"][0]) == set(key) - {"key"}


async def test_only_its_digest_is_kept(acme: Organization, owner: psycopg.Connection) -> None:
    key = (await made_key(acme.live))["key"]

    stored = owner.execute("select digest from api_keys where digest = %s", (digest_of(key),)).fetchall()

    assert len(stored) == 1
    assert tables_that_hold(owner, key) == []
    assert tables_that_hold(owner, key.removeprefix("bv_live_sk_")) == []


@pytest.mark.parametrize(
    ("data", "prefix"),
    [
        ({}, "bv_live_sk_"),
        ({"environment": "live"}, "bv_live_sk_"),
        ({"environment": "sandbox"}, "bv_test_sk_"),
        ({"type": "publishable"}, "bv_live_pk_"),
    ],
)
async def test_the_prefix_tells_kind_and_environment(acme: Organization, data: dict[str, Any], prefix: str) -> None:
    assert (await made_key(acme.live, **data))["key"].startswith(prefix)


async def test_there_is_no_publishable_sandbox_key(acme: Organization) -> None:
    reply = await acme.live.post(CREATE, {"name": "x", "type": "publishable", "environment": "sandbox"})

    assert reply.status_code == 422
    assert reply.json()["error"]["details"]["field"] == "type"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["delete"]}, "scopes[0]"),
        ({"name": "x", "scopes": ["contacts:"]}, "scopes[0]"),
        ({"name": "x", "scopes": ["read\n"]}, "scopes[0]"),
        ({"name": "x", "type": "root"}, "type"),
        ({"name": "x", "environment": "production"}, "environment"),
    ],
)
async def test_refuses(acme: Organization, data: dict[str, Any], field: str) -> None:
    reply = await acme.live.post(CREATE, data)

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == field


async def test_what_a_key_made_ends_with_it(acme: Organization) -> None:
    maker = await made_key(acme.live, scopes=["admin"])
    child = await made_key(acme.world.client(maker["key"]), scopes=["admin"])
    grandchild = await made_key(acme.world.client(child["key"]), scopes=["read"])
    assert (child["created_by_key"], grandchild["created_by_key"]) == (maker["id"], child["id"])

    await acme.live.call("/v1/keys/revoke", {"id": maker["id"]})

    for key in (maker, child, grandchild):
        assert (await acme.world.client(key["key"]).post(CONTACTS)).status_code == 401
    assert (await acme.live.post(CONTACTS)).status_code == 200


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"type": "publishable", "scopes": ["read", "write"]}, "scopes[1]"),
        ({"scopes": ["contactos:read"]}, "scopes[0]"),
    ],
)
async def test_scopes_that_make_no_sense_are_refused(acme: Organization, data: dict[str, Any], field: str) -> None:
    reply = await acme.live.post("/v1/keys/create", {"name": "x", **data})

    assert reply.status_code == 422
    assert reply.json()["error"]["details"]["field"] == field


async def test_a_publishable_key_only_reads(acme: Organization) -> None:
    key = await made_key(acme.live, type="publishable", scopes=["contacts:read"])
    client = acme.world.client(key["key"])

    assert (await client.post(CONTACTS)).status_code == 200
    assert (await client.post("/v1/contacts/create", {"name": "x"})).status_code == 403
    assert (await client.post(LIST)).status_code == 403


async def test_lists_newest_first_in_pages(acme: Organization) -> None:
    made = [(await made_key(acme.live, name=f"Clave {number}"))["id"] for number in range(3)]

    page = await acme.live.call(LIST, {"per_page": 2})

    assert [key["id"] for key in page["keys"]] == [made[2], made[1]]
    assert page["pagination"] == {"page": 1, "per_page": 2, "total": 6, "total_pages": 3}


async def test_a_revoked_key_ends_at_once_and_stays_listed(acme: Organization) -> None:
    key = await made_key(acme.live)
    client = acme.world.client(key["key"])
    assert (await client.post(CONTACTS)).status_code == 200

    revoked = await acme.live.call(REVOKE, {"id": key["id"]})

    assert revoked["revoked_at"] is not None
    reply = await client.post(CONTACTS)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")
    assert key["id"] in (await acme.live.post(LIST)).text


async def test_revoking_again_keeps_the_first_moment(acme: Organization, owner: psycopg.Connection) -> None:
    key = await made_key(acme.live)
    await acme.live.call(REVOKE, {"id": key["id"]})
    query = "select revoked_at from api_keys where id = %s"
    first = owner.execute(query, (key["id"],)).fetchone()

    await acme.live.call(REVOKE, {"id": key["id"]})

    assert owner.execute(query, (key["id"],)).fetchone() == first


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (["keys:admin"], ["read"]),
        (["keys:admin", "contacts:read"], ["contacts:write"]),
        (["keys:admin", "write"], ["admin"]),
        (["keys:admin", "write"], ["read", "workflows:admin"]),
    ],
)
async def test_nobody_gives_a_right_that_they_lack(acme: Organization, held: list[str], wanted: list[str]) -> None:
    reply = await acme.key(*held).post(CREATE, {"name": "x", "scopes": wanted})

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")


async def test_gives_any_right_that_it_has(acme: Organization) -> None:
    key = await made_key(acme.key("keys:admin", "write"), scopes=["contacts:write", "read", "keys:admin"])

    assert (await acme.world.client(key["key"]).post("/v1/contacts/create", {"name": "x"})).status_code == 200


async def test_a_key_weakens_with_its_maker(acme: Organization, owner: psycopg.Connection) -> None:
    admin = acme.member("admin")
    key = await made_key(acme.key("admin", made_by=admin), scopes=["admin"])
    client = acme.world.client(key["key"])
    assert (await client.post(LIST)).status_code == 200

    set_role(owner, acme, admin, "viewer")

    assert (await client.post(LIST)).status_code == 403
    assert (await client.post("/v1/contacts/create", {"name": "x"})).status_code == 403
    assert (await client.post(CONTACTS)).status_code == 200


async def test_a_key_ends_with_its_makers_membership(acme: Organization, owner: psycopg.Connection) -> None:
    editor = acme.member("editor")
    client = acme.key("write", made_by=editor)

    owner.execute("delete from members where org_id = %s and user_id = %s", (acme.id, editor))

    assert (await client.post(CONTACTS)).status_code == 401


async def test_a_sandbox_credential_makes_and_sees_sandbox_keys_only(acme: Organization) -> None:
    live = await made_key(acme.live)
    sandbox = await made_key(acme.sandbox)

    listed = (await acme.sandbox.call(LIST))["keys"]

    assert sandbox["environment"] == "sandbox"
    assert {key["environment"] for key in listed} == {"sandbox"}
    assert (await acme.sandbox.post(CREATE, {"name": "x", "environment": "live"})).status_code == 403
    assert (await acme.sandbox.post(REVOKE, {"id": live["id"]})).status_code == 404
    assert (await acme.world.client(live["key"]).post(CONTACTS)).status_code == 200


@pytest.mark.parametrize(
    "damage",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: key[:-1] + ("a" if key[-1] != "a" else "b"),
        lambda key: key[:15] + key[16] + key[15] + key[17:] if key[15] != key[16] else key[:-2],
        lambda key: key.replace("bv_live_", "bv_test_"),
        lambda key: key.swapcase(),
        lambda key: "bv_",
        lambda key: "bv_live_sk_",
        lambda key: "bv_live_sk_" + "é" * 30,
        lambda key: "bv_" + "x" * 5000,
    ],
)
async def test_a_mistyped_key_is_never_looked_up(
    acme: Organization, services: Services, monkeypatch: pytest.MonkeyPatch, damage
) -> None:
    wrong = damage(acme.made.keys.live_secret)
    asked: list[str] = []
    with database_calls_noted(services, monkeypatch, asked):
        reply = await acme.world.http.post(CONTACTS, headers={"X-API-Key": wrong.encode()})

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")
    assert [statement for statement in asked if "key" in statement] == []


async def test_a_key_that_was_never_given_is_refused(acme: Organization) -> None:
    stranger = generate_key("secret", Environment.live).key

    assert (await acme.world.client(stranger).post(CONTACTS)).status_code == 401


async def test_a_key_may_come_as_bearer_token(acme: Organization) -> None:
    assert (await acme.world.bearer(acme.made.keys.live_secret).post(CONTACTS)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": ""},
        {"X-API-Key": "   "},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic YTpi"},
    ],
)
async def test_an_empty_credential_is_none(acme: Organization, headers: dict[str, str]) -> None:
    assert (await acme.world.http.post(CONTACTS, headers=headers)).status_code == 401


def test_every_generated_key_is_well_formed_and_new() -> None:
    keys = {generate_key("secret", Environment.live).key for _ in range(200)}

    assert len(keys) == 200
    assert all(is_well_formed_key(key) and key.isascii() for key in keys)


@contextmanager
def database_calls_noted(services: Services, monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> Iterator[None]:
    call = type(services.database).call

    async def noted(self: object, query: str, *parameters: object) -> object:
        asked.append(query)
        return await call(services.database, query, *parameters)

    with monkeypatch.context() as patch:
        patch.setattr(type(services.database), "call", noted)
        yield


def tables_that_hold(database: psycopg.Connection, text: str) -> list[str]:
    """The tables that have `text` anywhere in a row."""
    query = "select exists (select from {} t where strpos(t::text, %s) > 0 or strpos(t::text, encode(%s, 'hex')) > 0)"
    found = []
    for table in table_names(database):
        row = database.execute(sql.SQL(query).format(sql.Identifier(table)), (text, text.encode())).fetchone()
        if row == (True,):
            found.append(table)
    return found


def set_role(database: psycopg.Connection, organization: Organization, user_id: UUID, role: str) -> None:
    database.execute(
        "update members set role = %s where org_id = %s and user_id = %s", (role, organization.id, user_id)
    )


async def test_no_key_slips_past_the_revocation_of_its_maker(acme: Organization) -> None:
    maker = await made_key(acme.live, scopes=["admin"])
    client = acme.world.client(maker["key"])

    replies = await asyncio.gather(
        *(client.post("/v1/keys/create", {"name": "hija", "scopes": ["admin"]}) for _ in range(8)),
        acme.live.post("/v1/keys/revoke", {"id": maker["id"]}),
        *(client.post("/v1/keys/create", {"name": "hija", "scopes": ["admin"]}) for _ in range(8)),
    )

    made = [reply.json()["data"]["key"] for reply in replies if "key" in reply.json().get("data", {})]
    assert {(await acme.world.client(key).post(CONTACTS)).status_code for key in made} <= {401}
    assert {reply.status_code for reply in replies} <= {200, 401}
