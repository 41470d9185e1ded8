"""Signing in with a password, and what slows down who guesses."""

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.applications import Starlette

from bivelio_server.accounts.passwords import hash_password
from bivelio_server.kit.clock import MovableClock
from tests.world import PASSWORD, Organization

pytestmark = pytest.mark.anyio

TOKEN = "/v1/auth/token?grant_type=password"


async def sign_in(http: httpx2.AsyncClient, email: str, password: str = PASSWORD, **headers: str) -> httpx2.Response:
    return await http.post(TOKEN, json={"email": email, "password": password}, headers=headers)


@pytest.fixture
async def elsewhere(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A client at another address."""
    transport = httpx2.ASGITransport(app=app, client=("203.0.113.7", 1234))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as client:
        yield client


async def test_the_reply_is_bare_and_works(acme: Organization) -> None:
    reply = await sign_in(acme.world.http, acme.email)

    tokens = reply.json()
    assert reply.status_code == 200
    assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)
    assert tokens["user"] == {"id": acme.made.user_id, "email": acme.email}
    assert reply.headers["Cache-Control"] == "no-store"
    assert (await acme.world.bearer(tokens["access_token"]).post("/v1/keys/list")).status_code == 200


async def test_the_e_mail_is_compared_without_case(acme: Organization) -> None:
    assert (await sign_in(acme.world.http, acme.email.upper())).status_code == 200


async def test_an_unknown_e_mail_looks_like_a_wrong_password(acme: Organization) -> None:
    wrong = await sign_in(acme.world.http, acme.email, "wrong")
    unknown = await sign_in(acme.world.http, "nobody@example.com", "wrong")

    assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")
    assert unknown.status_code == 401
    assert unknown.content == wrong.content


@pytest.mark.parametrize(
    ("query", "body", "field"),
    [
        ("", {"email": "a@b.es", "password": "x"}, "grant_type"),
        ("?grant_type=implicit", {"email": "a@b.es", "password": "x"}, "grant_type"),
        ("?grant_type=password", {}, "email"),
        ("?grant_type=password", {"email": "a@b.es"}, "password"),
        ("?grant_type=password", {"email": "a@b.es", "password": 1}, "password"),
        ("?grant_type=password", {"email": "a@b.es", "password": "x", "role": "owner"}, "role"),
        ("?grant_type=password", [], "body"),
        ("?grant_type=refresh_token", {}, "refresh_token"),
        ("?grant_type=refresh_token", {"refresh_token": "x" * 201}, "refresh_token"),
    ],
)
async def test_refuses_malformed_requests(http: httpx2.AsyncClient, query: str, body: Any, field: str) -> None:
    reply = await http.post(f"/v1/auth/token{query}", json=body)

    assert reply.status_code == 400
    assert reply.json()["error"]["details"]["field"] == field


async def test_the_apikey_chooses_organization_and_environment(
    acme: Organization, rival: Organization, owner: psycopg.Connection
) -> None:
    owner.execute("insert into members values (%s, %s, 'viewer', now())", (rival.id, acme.made.user_id))
    await rival.sandbox.call("/v1/contacts/create", {"name": "Prueba de Rival"})

    tokens = (await sign_in(acme.world.http, acme.email, apikey=rival.made.keys.test_secret)).json()

    client = acme.world.bearer(tokens["access_token"])
    assert [found["name"] for found in (await client.call("/v1/contacts"))["contacts"]] == ["Prueba de Rival"]
    assert (await client.post("/v1/contacts/create", {"name": "x"})).status_code == 403


async def test_without_apikey_it_is_the_first_organization_live(acme: Organization, rival: Organization) -> None:
    await acme.live.call("/v1/contacts/create", {"name": "De Acme"})

    tokens = (await sign_in(acme.world.http, acme.email)).json()

    page = await acme.world.bearer(tokens["access_token"]).call("/v1/contacts")
    assert [found["name"] for found in page["contacts"]] == ["De Acme"]


async def test_no_member_of_the_chosen_organization(acme: Organization, rival: Organization) -> None:
    reply = await sign_in(acme.world.http, acme.email, apikey=rival.made.keys.live_publishable)

    wrong = await sign_in(acme.world.http, acme.email, "wrong")
    assert reply.status_code == 401
    assert reply.content == wrong.content


async def test_a_wrong_apikey(acme: Organization) -> None:
    assert (await sign_in(acme.world.http, acme.email, apikey="bv_live_pk_wrong")).status_code == 401


async def test_a_member_of_nothing(acme: Organization, owner: psycopg.Connection) -> None:
    owner.execute("update users set password_hash = %s where id = %s", (hash_password("x"), acme.member("viewer")))
    owner.execute("delete from api_keys where org_id = %s", (acme.id,))
    owner.execute("delete from members where org_id = %s", (acme.id,))

    assert (await sign_in(acme.world.http, acme.email)).status_code == 401


async def test_guessing_is_slowed_down_per_e_mail_wherever_it_comes_from(
    acme: Organization, elsewhere: httpx2.AsyncClient, clock: MovableClock
) -> None:
    guesses = [await sign_in(acme.world.http, acme.email, "wrong") for _ in range(20)]

    refused = await sign_in(elsewhere, acme.email)

    assert {guess.status_code for guess in guesses} == {401}
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMIT_EXCEEDED")
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= 15
    assert refused.json()["error"]["retry_after"] == wait
    clock.advance(seconds=wait)
    assert (await sign_in(elsewhere, acme.email)).status_code == 200


async def test_guessing_is_slowed_down_per_address_whatever_the_header_says(
    acme: Organization, elsewhere: httpx2.AsyncClient, owner: psycopg.Connection
) -> None:
    began, number = time.monotonic(), 0
    while await guess(elsewhere, number) == 401:
        number += 1
    assert 100 <= number <= 101 + (time.monotonic() - began) / 15
    before = owner.execute("select count(*) from sign_in_attempts").fetchone()

    refused = await sign_in(elsewhere, "another@example.com", **{"X-Forwarded-For": "198.51.100.99"})

    assert refused.status_code == 429
    assert owner.execute("select count(*) from sign_in_attempts").fetchone() == before
    assert (await sign_in(acme.world.http, acme.email)).status_code == 200


async def guess(client: httpx2.AsyncClient, number: int) -> int:
    """The status of a wrong sign-in that pretends to come from an address of its own."""
    headers = {"X-Forwarded-For": f"198.51.100.{number % 250}"}
    return (await sign_in(client, f"guess{number}@example.com", **headers)).status_code


async def test_a_right_password_forgives_the_wrong_ones_before(
    acme: Organization, owner: psycopg.Connection, elsewhere: httpx2.AsyncClient
) -> None:
    for _ in range(15):
        await sign_in(acme.world.http, acme.email, "wrong")
    assert (await sign_in(acme.world.http, acme.email)).status_code == 200

    later = [(await sign_in(elsewhere, acme.email, "wrong")).status_code for _ in range(15)]

    assert set(later) == {401}


async def test_attempts_keep_no_e_mail(acme: Organization, owner: psycopg.Connection) -> None:
    await sign_in(acme.world.http, acme.email, "wrong")

    subjects = [subject for (subject,) in owner.execute("select subject from sign_in_attempts")]
    assert len(subjects) == 2
    assert not any(acme.email in subject or "127.0.0.1" in subject for subject in subjects)
