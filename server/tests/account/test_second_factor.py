"""The second factor: turned on, asked for, never twice the same code, lost and replaced."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from typing import Any

import httpx2
import psycopg
import pyotp
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from tests.world import PASSWORD, Organization, Person

pytestmark = pytest.mark.anyio

BEGIN, CONFIRM = "/v1/account/begin_second_factor", "/v1/account/confirm_second_factor"
DISABLE, NEW_CODES = "/v1/account/disable_second_factor", "/v1/account/new_recovery_codes"


class Phone:
    """An authenticator app."""

    def __init__(self, uri: str, clock: MovableClock) -> None:
        self._totp, self._clock = pyotp.parse_uri(uri), clock

    def code(self, steps: int = 0) -> str:
        """The code now, or that of some steps later or earlier."""
        return self._totp.at(self._clock.now() + timedelta(seconds=30 * steps))

    def next_code(self) -> str:
        """The code of the next step, once that has come."""
        self._clock.advance(seconds=30)
        return self.code()


async def protected(person: Person, clock: MovableClock) -> tuple[Phone, list[str]]:
    """The phone and the recovery codes of somebody who has just turned it on."""
    begun = await person.call(BEGIN, {"password": PASSWORD})
    phone = Phone(begun["otpauth_uri"], clock)
    return phone, (await person.call(CONFIRM, {"code": phone.code()}))["recovery_codes"]


async def sign_in(person: Person, password: str = PASSWORD, **grant: Any) -> httpx2.Response:
    return await person.http.post(
        "/v1/auth/token?grant_type=password", json={"email": person.email, "password": password, **grant}
    )


@pytest.fixture
def ana(acme: Organization) -> Person:
    return acme.person("editor")


async def test_is_turned_on_with_a_first_code(ana: Person, clock: MovableClock) -> None:
    begun = await ana.call(BEGIN, {"password": PASSWORD})
    assert begun["otpauth_uri"].startswith("otpauth://totp/BiVelio:")
    assert begun["secret"] in begun["otpauth_uri"]
    assert (await ana.call("/v1/account/get"))["second_factor"] is False
    assert (await sign_in(ana)).status_code == 200

    codes = (await ana.call(CONFIRM, {"code": Phone(begun["otpauth_uri"], clock).code()}))["recovery_codes"]

    assert len(set(codes)) == 10
    account = await ana.call("/v1/account/get")
    assert (account["second_factor"], account["recovery_codes_left"]) == (True, 10)


async def test_is_asked_for_after_the_right_password_only(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)

    wrong = await sign_in(ana, "wrong")
    right = await sign_in(ana)
    wrong_with_code = await sign_in(ana, "wrong", code=phone.next_code())
    signed_in = await sign_in(ana, code=phone.code())

    assert right.status_code == 401
    assert right.json()["error"]["details"] == {"second_factor": "required"}
    assert wrong.content == wrong_with_code.content
    assert "details" not in wrong.json()["error"]
    assert signed_in.status_code == 200


@pytest.mark.parametrize(("steps", "status"), [(-2, 401), (1, 200), (2, 401)])
async def test_a_clock_may_be_wrong_by_one_step(ana: Person, clock: MovableClock, steps: int, status: int) -> None:
    phone, _ = await protected(ana, clock)
    clock.advance(minutes=5)

    assert (await sign_in(ana, code=phone.code(steps))).status_code == status


async def test_a_code_works_once(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)

    code = phone.next_code()
    replies = await asyncio.gather(*(sign_in(ana, code=code) for _ in range(4)))

    assert sorted(reply.status_code for reply in replies) == [200, 401, 401, 401]
    refused = next(reply for reply in replies if reply.status_code == 401)
    assert refused.json()["error"]["details"] == {"second_factor": "invalid"}


async def test_the_code_that_turned_it_on_signs_nobody_in(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)

    assert (await sign_in(ana, code=phone.code())).status_code == 401


async def test_nor_does_an_older_one_after_a_newer_one(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)
    clock.advance(minutes=5)
    assert (await sign_in(ana, code=phone.code())).status_code == 200

    assert (await sign_in(ana, code=phone.code(-1))).status_code == 401


async def test_a_recovery_code_works_once(ana: Person, clock: MovableClock) -> None:
    _, codes = await protected(ana, clock)

    first, again = await sign_in(ana, code=codes[3]), await sign_in(ana, code=codes[3].replace("-", " ").upper())

    assert (first.status_code, again.status_code) == (200, 401)
    assert (await ana.call("/v1/account/get"))["recovery_codes_left"] == 9


async def test_codes_are_guessed_five_times_at_most(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)
    clock.advance(minutes=10)

    guesses = [(await sign_in(ana, code=f"{number:06}")).status_code for number in range(6)]

    assert guesses == [401] * 5 + [429]
    assert (await sign_in(ana, code=phone.code())).status_code == 429
    clock.advance(seconds=61)
    assert (await sign_in(ana, code=phone.code())).status_code == 200


async def test_secrets_are_sealed_and_codes_hashed(ana: Person, clock: MovableClock, owner: psycopg.Connection) -> None:
    begun = await ana.call(BEGIN, {"password": PASSWORD})
    codes = (await ana.call(CONFIRM, {"code": Phone(begun["otpauth_uri"], clock).code()}))["recovery_codes"]

    stored = owner.execute(
        "select u.second_factor_secret, (select string_agg(encode(c.digest, 'hex'), ' ') from recovery_codes c"
        " where c.user_id = u.id), (select string_agg(a::text, ' ') from audit_log a where a.actor = %s)"
        " from users u where u.id = %s",
        (f"user:{ana.user_id}", ana.user_id),
    ).fetchone()
    assert stored is not None
    assert begun["secret"].encode() not in stored[0]
    for code in codes:
        assert code not in stored[2]
        assert code.replace("-", "").encode().hex() not in stored[1]
    assert begun["secret"] not in stored[2]


async def test_a_secret_opens_in_its_own_row_only(
    acme: Organization, ana: Person, clock: MovableClock, owner: psycopg.Connection
) -> None:
    phone, _ = await protected(ana, clock)
    eve = acme.person("editor")
    owner.execute(
        "update users e set second_factor_secret = a.second_factor_secret, second_factor_since = now()"
        " from users a where a.id = %s and e.id = %s",
        (ana.user_id, eve.user_id),
    )

    assert (await sign_in(eve, code=phone.code())).status_code != 200


async def test_turning_it_off_takes_both_factors(ana: Person, clock: MovableClock) -> None:
    phone, _ = await protected(ana, clock)

    wrong_password = await ana.post(DISABLE, {"password": "wrong", "code": phone.next_code()})
    wrong_code = await ana.post(DISABLE, {"password": PASSWORD, "code": "000000"})
    right = await ana.post(DISABLE, {"password": PASSWORD, "code": phone.code()})

    assert (wrong_password.status_code, wrong_code.status_code, right.status_code) == (401, 401, 200)
    assert right.json()["data"]["second_factor"] is False
    assert (await sign_in(ana)).status_code == 200


async def test_the_operator_turns_it_off_for_who_has_lost_it(
    ana: Person, clock: MovableClock, installation: Installation
) -> None:
    _, [recovery_code, *_] = await protected(ana, clock)

    done = reset_second_factor(installation, ana.email.upper())

    assert done.returncode == 0, done.stderr
    assert (await sign_in(ana)).status_code == 200
    assert (await ana.call("/v1/account/get"))["second_factor"] is False
    await protected(ana, clock)
    assert (await sign_in(ana, code=recovery_code)).status_code == 401


def test_the_operator_is_told_when_nobody_has_the_address(installation: Installation) -> None:
    refused = reset_second_factor(installation, "nobody@example.com")

    assert (refused.returncode, refused.stderr) == (1, "bivelio-server: nobody has the address nobody@example.com\n")


def reset_second_factor(place: Installation, email: str) -> subprocess.CompletedProcess[str]:
    """The operator's command."""
    assert place.settings.secret_key is not None
    settings = {
        "BIVELIO_DATABASE_URL": place.owner_url,
        "BIVELIO_SECRET_KEY": place.settings.secret_key.get_secret_value(),
    }
    command = [sys.executable, "-m", "bivelio_server", "reset-second-factor", "--email", email]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False)


async def test_new_recovery_codes_end_the_old_ones(ana: Person, clock: MovableClock) -> None:
    phone, old = await protected(ana, clock)

    new = (await ana.call(NEW_CODES, {"password": PASSWORD, "code": phone.next_code()}))["recovery_codes"]

    assert set(new).isdisjoint(old)
    assert (await sign_in(ana, code=old[0])).status_code == 401
    assert (await sign_in(ana, code=new[0])).status_code == 200


async def test_is_not_begun_over_one_in_use(ana: Person, clock: MovableClock) -> None:
    await protected(ana, clock)

    reply = await ana.post(BEGIN, {"password": PASSWORD})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_is_confirmed_only_once_begun(ana: Person) -> None:
    assert (await ana.post(CONFIRM, {"code": "123456"})).status_code == 409
    await ana.call(BEGIN, {"password": PASSWORD})
    assert (await ana.post(CONFIRM, {"code": "12345"})).status_code == 422
    assert (await ana.call("/v1/account/get"))["second_factor"] is False


async def test_an_open_session_is_not_enough_to_begin(ana: Person) -> None:
    assert (await ana.post(BEGIN, {"password": "wrong"})).status_code == 401


@pytest.mark.parametrize(("path", "data"), [(BEGIN, {"password": PASSWORD}), (CONFIRM, {"code": "1"})])
async def test_a_key_never_gets_there(acme: Organization, path: str, data: dict[str, str]) -> None:
    reply = await acme.live.post(path, data)

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")
