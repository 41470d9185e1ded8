"""Signing in with a provider, all the way through one that runs beside us."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx2
import psycopg
import pytest
from pydantic import ValidationError

from bivelio_server.kit.clock import MovableClock
from bivelio_server.settings import Settings
from tests.oidc.conftest import HOME, Browser, query_of
from tests.oidc.provider import RealProvider, real_provider
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def provider() -> Iterator[RealProvider]:
    with real_provider("--require-nonce", "true") as provider:
        yield provider


@pytest.fixture
def browser(browser_at: Callable[..., Browser], provider: RealProvider) -> Browser:
    return browser_at(provider.issuer)


async def vouched_for(browser: Browser, provider: RealProvider, subject: str, **query: str) -> httpx2.Response:
    """The end of the journey of somebody who signs in there."""
    started = await browser.start(**query)
    assert started.status_code == 302, started.text
    return await browser.come_back(provider.sign_in(started.headers["location"], subject))


async def test_a_member_signs_in(acme: Organization, browser: Browser, provider: RealProvider) -> None:
    provider.know("ana", email=acme.email.upper(), email_verified=True)

    ended = await vouched_for(browser, provider, "ana", state="where I was")

    answer = query_of(ended)
    assert ended.headers["location"].startswith(f"{HOME}?code=")
    assert answer["state"] == "where I was"
    tokens = await browser.trade(answer["code"])
    assert tokens.status_code == 200
    assert set(tokens.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert tokens.json()["user"] == {"id": acme.made.user_id, "email": acme.email}
    assert (await bearer(browser, tokens).post("/v1/contacts")).status_code == 200


async def test_what_is_asked_of_the_provider(browser: Browser, provider: RealProvider) -> None:
    started = await browser.start()

    query = parse_qs(urlsplit(started.headers["location"]).query)
    assert started.headers["location"].startswith(provider.issuer)
    assert (query["response_type"], query["client_id"]) == (["code"], ["bivelio"])
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"][0].endswith("/v1/auth/oidc/callback")
    assert all(len(query[name][0]) >= 43 for name in ("state", "nonce", "code_challenge"))
    cookie = started.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert not any(query[name][0] in cookie for name in ("state", "nonce"))


async def test_over_https_the_cookie_is_this_host_s_alone(
    browser_at: Callable[..., Browser], provider: RealProvider
) -> None:
    browser = browser_at(provider.issuer, public_url="https://back-office.example.com")

    cookie = (await browser.start()).headers["set-cookie"]

    assert cookie.startswith("__Host-bivelio-oidc=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_the_code_works_once(acme: Organization, browser: Browser, provider: RealProvider) -> None:
    provider.know("bea", email=acme.email, email_verified=True)
    code = query_of(await vouched_for(browser, provider, "bea"))["code"]

    replies = [(await browser.trade(code)).status_code for _ in range(2)]

    assert replies == [200, 401]


async def test_the_code_ends_after_a_minute(
    acme: Organization, browser: Browser, provider: RealProvider, its_clock: MovableClock
) -> None:
    provider.know("carla", email=acme.email, email_verified=True)
    code = query_of(await vouched_for(browser, provider, "carla"))["code"]

    its_clock.advance(seconds=61)

    assert (await browser.trade(code)).status_code == 401


async def test_the_code_is_traded_by_who_began(acme: Organization, browser: Browser, provider: RealProvider) -> None:
    provider.know("dora", email=acme.email, email_verified=True)
    verifier = "v" * 43
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    code = query_of(await vouched_for(browser, provider, "dora", code_challenge=challenge))["code"]

    without = await browser.trade(code)
    wrong = await browser.trade(code, code_verifier="w" * 43)
    right = await browser.trade(code, code_verifier=verifier)

    assert (without.status_code, wrong.status_code, right.status_code) == (401, 401, 200)


async def test_codes_are_kept_as_digests(
    acme: Organization, browser: Browser, provider: RealProvider, owner: psycopg.Connection
) -> None:
    provider.know("eva", email=acme.email, email_verified=True)

    code = query_of(await vouched_for(browser, provider, "eva"))["code"]

    rows = owner.execute("select c::text from sign_in_codes c").fetchall()
    assert rows
    assert not any(code in row or code.encode().hex() in row for (row,) in rows)


async def test_a_stranger_gets_no_account(browser: Browser, provider: RealProvider, owner: psycopg.Connection) -> None:
    email = f"{uuid4().hex}@example.com"
    provider.know("stranger", email=email, email_verified=True)

    ended = await vouched_for(browser, provider, "stranger")

    assert (ended.status_code, ended.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")
    assert owner.execute("select 1 from users where email = %s", (email,)).fetchone() is None


async def test_an_address_that_nobody_verified_opens_nothing(
    acme: Organization, browser: Browser, provider: RealProvider, owner: psycopg.Connection
) -> None:
    for subject, claims in (("false", {"email_verified": False}), ("text", {"email_verified": "true"}), ("none", {})):
        provider.know(subject, email=acme.email, **claims)

        ended = await vouched_for(browser, provider, subject)

        assert ended.status_code == 401
    linked = owner.execute("select 1 from user_identities where user_id = %s", (acme.made.user_id,)).fetchone()
    assert linked is None


async def test_an_address_that_changed_hands_opens_nothing(
    acme: Organization, browser: Browser, provider: RealProvider
) -> None:
    provider.know("first", email=acme.email, email_verified=True)
    assert (await vouched_for(browser, provider, "first")).status_code == 302

    provider.know("second", email=acme.email, email_verified=True)
    ended = await vouched_for(browser, provider, "second")

    assert ended.status_code == 401


async def test_who_is_known_may_change_their_address_there(
    acme: Organization, browser: Browser, provider: RealProvider
) -> None:
    provider.know("movable", email=acme.email, email_verified=True)
    assert (await vouched_for(browser, provider, "movable")).status_code == 302

    provider.know("movable", email=f"{uuid4().hex}@example.com", email_verified=False)
    code = query_of(await vouched_for(browser, provider, "movable"))["code"]

    assert (await browser.trade(code)).json()["user"]["id"] == acme.made.user_id


async def test_an_invited_person_gets_an_account_without_a_password(
    acme: Organization, browser: Browser, provider: RealProvider
) -> None:
    email = f"{uuid4().hex}@example.com"
    await acme.live.call("/v1/members/invite", {"email": email, "role": "editor"})
    provider.know("invited", email=email, email_verified=True, name="Flor Peña")

    code = query_of(await vouched_for(browser, provider, "invited"))["code"]

    client = bearer(browser, await browser.trade(code))
    account = await client.call("/v1/account/get")
    assert (account["email"], account["name"], account["role"]) == (email, "Flor Peña", "editor")
    assert account["has_password"] is False
    for password in ("", "nobody signs in with this"):
        signed_in = await browser.http.post(
            "/v1/auth/token?grant_type=password", json={"email": email, "password": password}
        )
        assert signed_in.status_code == 401


async def test_the_second_factor_is_asked_for_all_the_same(
    acme: Organization, browser: Browser, provider: RealProvider, owner: psycopg.Connection
) -> None:
    owner.execute(
        "update users set second_factor_secret = 'x', second_factor_since = now() where id = %s", (acme.made.user_id,)
    )
    provider.know("careful", email=acme.email, email_verified=True)
    code = query_of(await vouched_for(browser, provider, "careful"))["code"]

    reply = await browser.trade(code)

    assert reply.status_code == 401
    assert reply.json()["error"]["details"] == {"second_factor": "required"}


async def test_only_an_address_of_the_operator_s_choice_is_an_end(browser: Browser) -> None:
    for address in ("https://evil.example.com/", f"{HOME}x", HOME.replace("https", "http"), ""):
        reply = await browser.start(redirect_uri=address)

        assert reply.status_code == 400
        assert reply.json()["error"]["details"]["field"] == "redirect_uri"


async def test_another_browser_cannot_finish_it(
    acme: Organization, browser: Browser, provider: RealProvider, browser_at: Callable[..., Browser]
) -> None:
    provider.know("gala", email=acme.email, email_verified=True)
    back = provider.sign_in((await browser.start()).headers["location"], "gala")

    other = browser_at(provider.issuer)
    without_cookie = await other.come_back(back)
    await other.start()
    with_its_own = await other.come_back(back)

    assert (without_cookie.status_code, with_its_own.status_code) == (401, 401)


async def test_an_attempt_ends_after_ten_minutes(
    acme: Organization, browser: Browser, provider: RealProvider, its_clock: MovableClock
) -> None:
    provider.know("hada", email=acme.email, email_verified=True)
    back = provider.sign_in((await browser.start()).headers["location"], "hada")

    its_clock.advance(minutes=11)

    assert (await browser.come_back(back)).status_code == 401


async def test_the_button_has_a_name(browser: Browser) -> None:
    reply = await browser.http.get("/v1/auth/providers")

    assert reply.json() == {"providers": [{"name": "OpenID Connect", "start": "/v1/auth/oidc/start"}]}


async def test_without_a_provider_there_is_nothing(http: httpx2.AsyncClient) -> None:
    assert (await http.get("/v1/auth/providers")).json() == {"providers": []}
    assert (await http.get("/v1/auth/oidc/start", params={"redirect_uri": HOME})).status_code == 404
    assert (await http.get("/v1/auth/oidc/callback")).status_code == 404
    wrong = await http.post("/v1/auth/oidc/start")
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "GET")


def test_a_provider_without_credentials_is_a_mistake() -> None:
    with pytest.raises(ValidationError, match="BIVELIO_OIDC_CLIENT_ID"):
        Settings(oidc_issuer="https://login.example.com")


async def test_a_provider_that_is_away(browser_at: Callable[..., Browser]) -> None:
    reply = await browser_at("http://127.0.0.1:9").start()

    assert (reply.status_code, reply.json()["error"]["code"]) == (503, "INTEGRATION_ERROR")


def bearer(browser: Browser, tokens: httpx2.Response) -> Client:
    """Who has signed in, at the server that the tokens are of."""
    return Client(browser.http, {"Authorization": f"Bearer {tokens.json()['access_token']}"})
