"""Access tokens that are not right, and refresh tokens that rotate."""

import asyncio
import base64
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from bivelio_server.accounts.tokens import AccessTokens, Session
from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.clock import MovableClock
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

CONTACTS = "/v1/contacts"


async def refreshed(world: World, token: str) -> httpx2.Response:
    return await world.http.post("/v1/auth/token?grant_type=refresh_token", json={"refresh_token": token})


async def test_an_access_token_ends_after_an_hour(acme: Organization, clock: MovableClock) -> None:
    client = acme.world.bearer((await acme.sign_in())["access_token"])

    clock.advance(minutes=59)
    assert (await client.post(CONTACTS)).status_code == 200
    clock.advance(minutes=2)
    reply = await client.post(CONTACTS)

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_EXPIRED_TOKEN")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_a_demoted_member_has_a_weaker_token_at_once(acme: Organization, owner: psycopg.Connection) -> None:
    client = acme.world.bearer((await acme.sign_in())["access_token"])

    owner.execute("update members set role = 'viewer' where org_id = %s", (acme.id,))

    assert (await client.post("/v1/contacts/create", {"name": "x"})).status_code == 403
    assert (await client.post(CONTACTS)).status_code == 200


async def test_a_removed_member_has_no_token_at_once(acme: Organization, owner: psycopg.Connection) -> None:
    tokens = await acme.sign_in()

    owner.execute("delete from members where org_id = %s", (acme.id,))

    assert (await acme.world.bearer(tokens["access_token"]).post(CONTACTS)).status_code == 401
    assert (await refreshed(acme.world, tokens["refresh_token"])).status_code == 401


CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("another audience", {"aud": "somebody-else"}),
    ("no audience", {"aud": None}),
    ("another issuer", {"iss": "mallory"}),
    ("no session", {"sid": None}),
    ("a session that never was", {"sid": str(uuid4())}),
    ("a session that is no id", {"sid": "' or 1=1 --"}),
    ("a session that is a list", {"sid": ["x"]}),
    ("no end", {"exp": None}),
    ("an end that is text", {"exp": "tomorrow"}),
]


@pytest.mark.parametrize(("claims"), [claims for _, claims in CLAIMS], ids=[name for name, _ in CLAIMS])
async def test_every_claim_is_checked(acme: Organization, installation: Installation, claims: dict[str, Any]) -> None:
    valid = payload_of((await acme.sign_in())["access_token"])
    changed = {name: value for name, value in {**valid, **claims}.items() if value is not None}

    await assert_refused(acme.world, signed(changed, installation.secret_key.derive("access tokens")))


async def test_the_same_claims_signed_by_us_are_right(acme: Organization, installation: Installation) -> None:
    valid = payload_of((await acme.sign_in())["access_token"])

    client = acme.world.bearer(signed(valid, installation.secret_key.derive("access tokens")))

    assert (await client.post(CONTACTS)).status_code == 200


async def test_another_key_is_refused(acme: Organization) -> None:
    await assert_refused(acme.world, signed(payload_of((await acme.sign_in())["access_token"]), b"k" * 32))


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_the_algorithm_is_pinned(acme: Organization, installation: Installation, algorithm: str) -> None:
    valid = payload_of((await acme.sign_in())["access_token"])

    await assert_refused(acme.world, signed(valid, installation.secret_key.derive("access tokens"), algorithm))


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "RS256", "", None, 5])
async def test_no_signature_is_no_token(acme: Organization, algorithm: Any) -> None:
    payload = payload_of((await acme.sign_in())["access_token"])

    await assert_refused(acme.world, f"{encoded({'alg': algorithm, 'kid': '1', 'typ': 'JWT'})}.{encoded(payload)}.")


async def test_a_changed_token_is_refused(acme: Organization, rival: Organization) -> None:
    header, payload, signature = (await acme.sign_in())["access_token"].split(".")
    theirs = payload_of((await rival.sign_in())["access_token"])

    for changed in (
        f"{header}.{encoded(theirs)}.{signature}",
        f"{header}.{payload}.{signature[:-2]}",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}.x",
        f"{encoded({'alg': 'HS256', 'kid': '2'})}.{payload}.{signature}",
    ):
        await assert_refused(acme.world, changed)


@pytest.mark.parametrize(
    "token",
    [
        "x", "..", "a.b.c", "ñ.ñ.ñ", "eyJ" * 5000,
        base64.urlsafe_b64encode(b"[" * 30_000).decode() + ".e30.e30",
        base64.urlsafe_b64encode(b'{"alg":"HS256","x":' + b"[" * 30_000).decode() + ".e30.e30",
        base64.urlsafe_b64encode(b"[]").decode() + ".e30.e30",
        base64.urlsafe_b64encode(b"\xff\xfe").decode() + ".e30.e30",
    ],
    ids=lambda token: token[:8],
)  # fmt: skip
async def test_whatever_is_no_token_is_refused(http: httpx2.AsyncClient, token: str) -> None:
    reply = await http.post(CONTACTS, headers={"Authorization": f"Bearer {token}".encode()})

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")


async def test_an_expired_token_of_a_stranger_is_just_expired(
    acme: Organization, installation: Installation, clock: MovableClock
) -> None:
    session = Session(uuid4(), UUID(acme.made.user_id), acme.id, Environment.live)
    token = AccessTokens(installation.secret_key, timedelta(hours=1)).issue(session, clock.now() - timedelta(days=1))

    assert (await acme.world.bearer(token).post(CONTACTS)).json()["error"]["code"] == "AUTH_EXPIRED_TOKEN"


async def test_a_refresh_token_is_traded_for_new_tokens(acme: Organization) -> None:
    first = await acme.sign_in()

    reply = await refreshed(acme.world, first["refresh_token"])

    second = reply.json()
    assert reply.status_code == 200
    assert set(second) == set(first)
    assert second["user"] == first["user"]
    assert second["refresh_token"] != first["refresh_token"]
    assert (await acme.world.bearer(second["access_token"]).post(CONTACTS)).status_code == 200


async def test_a_refresh_token_used_again_ends_the_family(acme: Organization, clock: MovableClock) -> None:
    first = await acme.sign_in()
    second = (await refreshed(acme.world, first["refresh_token"])).json()

    clock.advance(seconds=11)
    reused = await refreshed(acme.world, first["refresh_token"])

    assert (reused.status_code, reused.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")
    assert (await refreshed(acme.world, second["refresh_token"])).status_code == 401
    for tokens in (first, second):
        assert (await acme.world.bearer(tokens["access_token"]).post(CONTACTS)).status_code == 401


async def test_a_lost_reply_is_forgiven_for_ten_seconds(acme: Organization, clock: MovableClock) -> None:
    first = await acme.sign_in()
    await refreshed(acme.world, first["refresh_token"])

    clock.advance(seconds=9)
    again = await refreshed(acme.world, first["refresh_token"])

    assert again.status_code == 200
    assert (await refreshed(acme.world, again.json()["refresh_token"])).status_code == 200


async def test_the_grace_ends_once_the_successor_is_used(acme: Organization) -> None:
    first = await acme.sign_in()
    second = (await refreshed(acme.world, first["refresh_token"])).json()
    third = (await refreshed(acme.world, second["refresh_token"])).json()

    assert (await refreshed(acme.world, first["refresh_token"])).status_code == 401
    assert (await refreshed(acme.world, third["refresh_token"])).status_code == 401


async def test_fifty_refreshes_at_once_leave_one_living_family(acme: Organization, owner: psycopg.Connection) -> None:
    first = await acme.sign_in()

    replies = await asyncio.gather(*(refreshed(acme.world, first["refresh_token"]) for _ in range(50)))

    assert {reply.status_code for reply in replies} == {200}
    living = owner.execute(
        "select count(*) from sign_in_sessions where org_id = %s and ended_at is null", (acme.id,)
    ).fetchone()
    assert living == (1,)
    assert (await refreshed(acme.world, replies[-1].json()["refresh_token"])).status_code == 200


async def test_a_refresh_token_ends_after_thirty_days(acme: Organization, clock: MovableClock) -> None:
    first = await acme.sign_in()

    clock.advance(days=31)
    reply = await refreshed(acme.world, first["refresh_token"])

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_EXPIRED_TOKEN")


@pytest.mark.parametrize("token", ["", "v1.", "v1.nobody-has-this-one", "bv_live_sk_x", "ñ"])
async def test_whatever_is_no_refresh_token_is_refused(world: World, token: str) -> None:
    reply = await refreshed(world, token)

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")


async def test_refresh_tokens_are_kept_as_digests(acme: Organization, owner: psycopg.Connection) -> None:
    token = (await acme.sign_in())["refresh_token"]

    rows = owner.execute("select t::text from refresh_tokens t").fetchall()

    assert rows
    assert not any(token in row or token.encode().hex() in row for (row,) in rows)


async def assert_refused(world: World, token: str) -> None:
    reply = await world.bearer(token).post(CONTACTS)
    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")


def signed(claims: dict[str, Any], key: bytes, algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm, "kid": "1"}, claims, OctKey.import_key(key, {"kid": "1"}), [algorithm])


def payload_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
