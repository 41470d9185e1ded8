"""Sessions: listed, revoked one by one or together."""

from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.world import PASSWORD, Client, Organization, World

pytestmark = pytest.mark.anyio

LIST, REVOKE = "/v1/account/list_sessions", "/v1/account/revoke_session"
OTHERS, SIGN_OUT, PASSWORDS = (
    f"/v1/account/{verb}" for verb in ("revoke_other_sessions", "sign_out", "change_password")
)
NEW = "staple battery horse correct"


async def signed_in(world: World, email: str, password: str = PASSWORD, agent: str = "Firefox/150") -> dict[str, Any]:
    reply = await world.http.post(
        "/v1/auth/token?grant_type=password",
        json={"email": email, "password": password},
        headers={"user-agent": agent},
    )
    assert reply.status_code == 200, reply.text
    tokens: dict[str, Any] = reply.json()
    return tokens


async def refreshed(world: World, tokens: dict[str, Any]) -> httpx2.Response:
    return await world.http.post(
        "/v1/auth/token?grant_type=refresh_token", json={"refresh_token": tokens["refresh_token"]}
    )


@pytest.fixture
async def ana(acme: Organization) -> Client:
    """The owner, at a browser."""
    return acme.world.bearer((await signed_in(acme.world, acme.email))["access_token"])


async def test_are_listed_with_where_they_are_used(acme: Organization, ana: Client) -> None:
    await signed_in(acme.world, acme.email, agent="X" * 500)

    sessions = (await ana.call(LIST))["sessions"]

    assert [(one["current"], one["user_agent"]) for one in sessions] == [(False, "X" * 200), (True, "Firefox/150")]
    assert {one["address"] for one in sessions} == {"127.0.0.1"}
    assert {one["organization"] for one in sessions} == {"Acme"}


async def test_a_refresh_is_a_use(acme: Organization, ana: Client, clock: MovableClock) -> None:
    other = await signed_in(acme.world, acme.email)
    before = {one["id"]: one["last_used_at"] for one in (await ana.call(LIST))["sessions"]}

    clock.advance(minutes=5)
    await refreshed(acme.world, other)

    changed = [one for one in (await ana.call(LIST))["sessions"] if one["last_used_at"] != before[one["id"]]]
    assert [one["current"] for one in changed] == [False]
    assert changed[0]["last_used_at"] > changed[0]["created_at"]


async def test_a_revoked_one_is_over_from_the_next_request(acme: Organization, ana: Client) -> None:
    other = await signed_in(acme.world, acme.email)
    their_id = next(one["id"] for one in (await ana.call(LIST))["sessions"] if not one["current"])

    assert await ana.call(REVOKE, {"session_id": their_id}) == {"ended": 1}

    assert (await acme.world.bearer(other["access_token"]).post("/v1/contacts")).status_code == 401
    assert (await refreshed(acme.world, other)).status_code == 401
    assert (await ana.post("/v1/contacts")).status_code == 200
    assert (await ana.post(REVOKE, {"session_id": their_id})).status_code == 404


async def test_all_others_at_once(acme: Organization, ana: Client) -> None:
    others = [await signed_in(acme.world, acme.email) for _ in range(3)]

    assert await ana.call(OTHERS) == {"ended": 3}

    for other in others:
        assert (await acme.world.bearer(other["access_token"]).post("/v1/contacts")).status_code == 401
    assert len((await ana.call(LIST))["sessions"]) == 1


async def test_sign_out(acme: Organization) -> None:
    tokens = await signed_in(acme.world, acme.email)
    client = acme.world.bearer(tokens["access_token"])

    assert await client.call(SIGN_OUT) == {"ended": 1}

    assert (await client.post("/v1/contacts")).status_code == 401
    assert (await refreshed(acme.world, tokens)).status_code == 401


@pytest.mark.parametrize("whose", ["another person's", "nobody's", "no id"])
async def test_only_one_s_own(acme: Organization, ana: Client, whose: str) -> None:
    session_id = {"another person's": str(acme.person("viewer").session_id), "nobody's": str(uuid4()), "no id": "x"}

    reply = await ana.post(REVOKE, {"session_id": session_id[whose]})

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "RESOURCE_NOT_FOUND")


async def test_a_new_password_ends_the_others(acme: Organization, ana: Client) -> None:
    other = await signed_in(acme.world, acme.email)

    assert await ana.call(PASSWORDS, {"current_password": PASSWORD, "new_password": NEW}) == {"ended": 1}

    assert (await refreshed(acme.world, other)).status_code == 401
    assert (await ana.post("/v1/contacts")).status_code == 200
    assert (await signed_in(acme.world, acme.email, NEW))["user"]["email"] == acme.email


@pytest.mark.parametrize(
    ("data", "status", "field"),
    [
        ({"current_password": "wrong", "new_password": NEW}, 401, "current_password"),
        ({"current_password": PASSWORD, "new_password": "123456789"}, 400, "new_password"),
        ({"current_password": PASSWORD}, 400, "new_password"),
        ({"current_password": PASSWORD, "new_password": None}, 400, "new_password"),
    ],
)
async def test_passwords_that_are_refused(
    acme: Organization, ana: Client, data: dict[str, Any], status: int, field: str
) -> None:
    reply = await ana.post(PASSWORDS, data)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (status, field)
    await signed_in(acme.world, acme.email)


async def test_the_address_is_no_password(acme: Organization, ana: Client) -> None:
    reply = await ana.post(PASSWORDS, {"current_password": PASSWORD, "new_password": acme.email.upper()})

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "new_password")


async def test_whoever_finds_a_session_guesses_slowly(ana: Client) -> None:
    guesses = [
        (await ana.post(PASSWORDS, {"current_password": f"guess {number}", "new_password": NEW})).status_code
        for number in range(21)
    ]

    assert guesses == [401] * 20 + [429]


async def test_the_new_password_is_nowhere_in_the_audit_log(
    acme: Organization, ana: Client, owner: psycopg.Connection
) -> None:
    await ana.call(PASSWORDS, {"current_password": PASSWORD, "new_password": NEW})

    row = owner.execute(
        "select after ->> 'password', a::text from audit_log a where org_id = %s and operation = %s",
        (acme.id, "account.change_password"),
    ).fetchone()
    assert row is not None
    assert row[0] == "***"
    assert NEW not in row[1]
