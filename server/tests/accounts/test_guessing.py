"""Who guesses passwords or forges tokens, in numbers."""

import asyncio
import base64
import os
import random
import statistics
import time
from datetime import timedelta

import httpx2
import pytest

from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.errors import NotAuthenticated
from tests.world import Organization

pytestmark = pytest.mark.anyio

#: Over HTTP, so ten thousand take two minutes.
GUESSES = int(os.environ.get("BIVELIO_GUESSES", "1000"))
MUTANTS = 10_000
#: Pairs of attempts whose cost is compared.
SAMPLES = int(os.environ.get("BIVELIO_TIMING_SAMPLES", "60"))
_TOKEN = "/v1/auth/token?grant_type=password"


async def test_of_all_guesses_twenty_are_tried(acme: Organization) -> None:
    started = time.monotonic()

    statuses = [
        status
        for _ in range(GUESSES // 50)
        for status in await asyncio.gather(*(guess(acme.world.http, acme.email) for _ in range(50)))
    ]

    tried = statuses.count(401)
    assert len(statuses) == GUESSES
    assert set(statuses) == {401, 429}
    assert tried <= 20 + (time.monotonic() - started) / 15 + 1


async def test_an_unknown_address_costs_as_much_as_a_known_one(acme: Organization) -> None:
    spent: dict[str, list[float]] = {acme.email: [], "nobody@example.com": []}
    for email in spent:
        await guess(acme.world.http, email)

    for _ in range(SAMPLES):
        acme.world.database.execute("delete from sign_in_attempts")
        for email, samples in spent.items():
            before = time.process_time()
            assert await guess(acme.world.http, email) == 401
            samples.append(time.process_time() - before)

    known, unknown = (statistics.median(samples) for samples in spent.values())
    assert abs(known - unknown) < 0.05 * max(known, unknown)


async def test_of_ten_thousand_forged_tokens_none_is_taken(
    acme: Organization, installation: Installation, clock: MovableClock
) -> None:
    token = (await acme.sign_in())["access_token"]
    generator = random.Random(27)
    mutants = [mutated(token, generator) for _ in range(MUTANTS)]
    tokens = AccessTokens(installation.secret_key, timedelta(hours=1))

    taken = [mutant for mutant in mutants if is_taken(tokens, mutant, clock)]
    statuses = {await status(acme, mutant) for mutant in mutants[:200]}

    assert taken == []
    assert statuses == {401}
    assert is_taken(tokens, token, clock)
    assert await status(acme, token) == 200


def is_taken(tokens: AccessTokens, token: str, clock: MovableClock) -> bool:
    try:
        tokens.session_id(token, clock.now())
    except NotAuthenticated:
        return False
    return True


def mutated(token: str, generator: random.Random) -> str:
    """The token with a few of its characters, bytes or parts changed, and never one that says the same."""
    while True:
        parts = token.split(".")
        kind = generator.randrange(5)
        position = generator.randrange(len(parts))
        if kind == 0:
            parts[position] = with_another_character(parts[position], generator)
        elif kind == 1:
            parts[position] = with_another_bit(parts[position], generator)
        elif kind == 2:
            parts[position] = parts[position][: generator.randrange(len(parts[position]))]
        elif kind == 3:
            parts[position] += generator.choice(["A", "=", "==", "AAAA", ".", "%00", "_"])
        else:
            other = generator.randrange(len(parts))
            parts[position], parts[other] = parts[other], parts[position]
        changed = ".".join(parts)
        if [decoded(part) for part in changed.split(".")] != [decoded(part) for part in token.split(".")]:
            return changed


def with_another_character(part: str, generator: random.Random) -> str:
    at = generator.randrange(len(part))
    return part[:at] + generator.choice("ABCxyz019-_") + part[at + 1 :]


def with_another_bit(part: str, generator: random.Random) -> str:
    content = bytearray(decoded(part))
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    """What base64 makes of it: unused bits at its end and padding carry nothing."""
    plain = "".join(char for char in part.rstrip("=") if char.isalnum() or char in "-_")
    return base64.urlsafe_b64decode(plain[: len(plain) - (len(plain) % 4 == 1)] + "=" * (-len(plain) % 4))


async def guess(http: httpx2.AsyncClient, email: str) -> int:
    return (await http.post(_TOKEN, json={"email": email, "password": "wrong"})).status_code


async def status(acme: Organization, token: str) -> int:
    return (await acme.world.bearer(token).post("/v1/contacts")).status_code
