"""Whatever a provider's token gets wrong, nobody signs in with it."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.oidc.conftest import Browser
from tests.oidc.forger import KEY, STRANGER, Forger, forger, proves
from tests.world import Organization

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def liar() -> Iterator[Forger]:
    with forger() as liar:
        yield liar


@pytest.fixture
async def journey(acme: Organization, liar: Forger, browser_at: Callable[..., Browser]) -> "Journey":
    browser = browser_at(liar.issuer)
    url = (await browser.start()).headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return Journey(browser, liar, url, query, acme.email)


class Journey:
    """Somebody who has been sent to the provider, and what an honest one would say of them."""

    def __init__(self, browser: Browser, liar: Forger, url: str, query: dict[str, str], email: str) -> None:
        self.browser, self.liar, self.url, self.query = browser, liar, url, query
        now = int(time.time())
        # The tests' clock runs ahead of the real one, never behind: it is within what the token allows.
        self.claims: dict[str, Any] = {
            "iss": liar.issuer, "aud": "bivelio", "sub": email, "nonce": query["nonce"], "iat": now,
            "exp": now + 10**8, "email": email, "email_verified": True,
        }  # fmt: skip

    async def end(self, state: str | None = None) -> int:
        reply = await self.browser.come_back(
            f"/v1/auth/oidc/callback?code=c&state={self.query['state'] if state is None else state}"
        )
        return reply.status_code


async def test_an_honest_token_signs_in(journey: Journey) -> None:
    journey.liar.sign(journey.claims)

    assert await journey.end() == 302
    assert proves(journey.liar.forms[-1], journey.url)


async def test_several_audiences_may_be_named_if_we_are_who_asked(journey: Journey) -> None:
    journey.liar.sign({**journey.claims, "aud": ["bivelio", "another"], "azp": "bivelio"})

    assert await journey.end() == 302


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("another nonce", {"nonce": "n" * 43}),
    ("no nonce", {"nonce": None}),
    ("another audience", {"aud": "another"}),
    ("no audience", {"aud": None}),
    ("several audiences, asked for by nobody", {"aud": ["bivelio", "another"]}),
    ("asked for by another", {"aud": ["bivelio", "another"], "azp": "another"}),
    ("another issuer", {"iss": "https://accounts.example.com"}),
    ("no issuer", {"iss": None}),
    ("expired", {"exp": 1_700_000_000}),
    ("no end", {"exp": None}),
    ("from the future", {"iat": 10**10}),
    ("nobody", {"sub": None}),
    ("a number", {"sub": 5}),
    ("unverified", {"email_verified": False}),
    ("nothing said of it", {"email_verified": None}),
    ("an address that is a list", {"email": ["a@example.com"]}),
]


@pytest.mark.parametrize("claims", [claims for _, claims in WRONG], ids=[name for name, _ in WRONG])
async def test_every_claim_is_checked(journey: Journey, claims: dict[str, Any]) -> None:
    changed = {name: value for name, value in {**journey.claims, **claims}.items() if value is not None}
    journey.liar.sign(changed)

    assert await journey.end() == 401


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", "RS256", "HS256"])
async def test_no_signature_is_no_token(journey: Journey, algorithm: str) -> None:
    journey.liar.leave_unsigned(journey.claims, algorithm)

    assert await journey.end() == 401


async def test_a_public_key_is_no_shared_secret(journey: Journey) -> None:
    journey.liar.sign_with_the_public_key(journey.claims)

    assert await journey.end() == 401


async def test_another_key_of_the_same_name(journey: Journey) -> None:
    journey.liar.sign(journey.claims, STRANGER)

    assert await journey.end() == 401


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS512"])
async def test_the_algorithm_is_pinned(journey: Journey, algorithm: str) -> None:
    journey.liar.sign(journey.claims, KEY, algorithm)

    assert await journey.end() == 401


@pytest.mark.parametrize("token", ["", "x", "..", "e30.e30.", "ñ.ñ.ñ", "W10.W10.W10"])
async def test_whatever_is_no_token(journey: Journey, token: str) -> None:
    journey.liar.token = token

    assert await journey.end() == 401


@pytest.mark.parametrize("state", ["", "x", "s" * 43, "ñ"])
async def test_another_state(journey: Journey, state: str) -> None:
    journey.liar.sign(journey.claims)

    assert await journey.end(state) == 401
