"""Invitations: sent, shown once, accepted once, and never a way into somebody's account."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from tests.members.arranging import accepted, fresh_email, invited, joined
from tests.world import PASSWORD, Organization

pytestmark = pytest.mark.anyio

INVITE, LIST, REVOKE = "/v1/members/invite", "/v1/members/list_invitations", "/v1/members/revoke_invitation"


async def test_a_new_person_joins(acme: Organization) -> None:
    email = fresh_email()
    invitation = await invited(acme.live, "editor", email)

    reply = await accepted(acme.world, invitation["token"], password="a password of mine", name="Ana Ruiz")

    assert reply.status_code == 200
    assert set(reply.json()) == {"access_token", "token_type", "expires_in", "refresh_token", "user"}
    assert reply.headers["Cache-Control"] == "no-store"
    account = await acme.world.bearer(reply.json()["access_token"]).call("/v1/account/get")
    assert (account["email"], account["name"], account["role"]) == (email, "Ana Ruiz", "editor")
    assert account["organization_id"] == str(acme.id)
    listed = (await acme.live.call(LIST, {"status": "accepted"}))["invitations"]
    assert [(item["invitation_id"], item["status"], item["accepted_by"]) for item in listed] == [
        (invitation["invitation_id"], "accepted", account["user_id"])
    ]


async def test_the_new_person_signs_in_afterwards(acme: Organization) -> None:
    invitation = await invited(acme.live)
    await accepted(acme.world, invitation["token"], password="a password of mine")

    reply = await acme.world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": invitation["email"], "password": "a password of mine"}
    )

    assert reply.status_code == 200


async def test_the_token_is_shown_once_and_kept_as_a_digest(acme: Organization, owner: psycopg.Connection) -> None:
    invitation = await invited(acme.live)

    assert invitation["link"].endswith(invitation["token"])
    listed = await acme.live.post(LIST)
    assert invitation["invitation_id"] in listed.text
    assert invitation["token"] not in listed.text
    (row,) = owner.execute("select i::text from invitations i where id = %s", (invitation["invitation_id"],)).fetchone()  # type: ignore[misc]
    assert invitation["token"] not in row
    (logged,) = owner.execute(
        "select string_agg(a::text, '') from audit_log a where org_id = %s", (acme.id,)
    ).fetchone()  # type: ignore[misc]
    assert invitation["invitation_id"] in logged
    assert invitation["token"] not in logged


async def test_who_has_an_account_proves_it(acme: Organization, rival: Organization) -> None:
    invitation = await invited(acme.live, "viewer", rival.email.upper())

    without = await accepted(acme.world, invitation["token"])
    wrong = await accepted(acme.world, invitation["token"], password="another password")
    right = await accepted(acme.world, invitation["token"], password=PASSWORD)

    assert (without.status_code, wrong.status_code, right.status_code) == (400, 401, 200)
    assert right.json()["user"]["id"] == rival.made.user_id
    still = await acme.world.http.post(
        "/v1/auth/token?grant_type=password", json={"email": rival.email, "password": PASSWORD}
    )
    assert still.status_code == 200


async def test_or_is_signed_in(acme: Organization, rival: Organization) -> None:
    invitation = await invited(acme.live, "viewer", rival.email)

    reply = await accepted(acme.world, invitation["token"], rival.owner.headers)

    assert reply.status_code == 200
    assert reply.json()["user"]["id"] == rival.made.user_id


async def test_nobody_accepts_for_another(acme: Organization, rival: Organization) -> None:
    for_them, for_a_stranger = await invited(acme.live, "viewer", rival.email), await invited(acme.live)

    replies = [
        await accepted(acme.world, for_them["token"], acme.owner.headers),
        await accepted(acme.world, for_a_stranger["token"], rival.owner.headers, password=PASSWORD),
    ]

    assert [reply.status_code for reply in replies] == [403, 403]


async def test_a_second_factor_is_asked_for(acme: Organization, rival: Organization, owner: psycopg.Connection) -> None:
    owner.execute(
        "update users set second_factor_secret = 'x', second_factor_since = now() where id = %s", (rival.made.user_id,)
    )
    invitation = await invited(acme.live, "viewer", rival.email)

    reply = await accepted(acme.world, invitation["token"], password=PASSWORD)

    assert (reply.status_code, reply.json()["error"]["details"]) == (401, {"second_factor": "required"})


async def test_works_once_however_many_try(acme: Organization, rival: Organization) -> None:
    invitation = await invited(acme.live, "viewer", rival.email)

    replies = await asyncio.gather(*(accepted(acme.world, invitation["token"], rival.owner.headers) for _ in range(8)))

    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 7


async def test_two_at_once_make_one_person(acme: Organization, owner: psycopg.Connection) -> None:
    invitation = await invited(acme.live)

    replies = await asyncio.gather(
        *(accepted(acme.world, invitation["token"], password=f"password number {number}") for number in range(6))
    )

    assert sorted(reply.status_code for reply in replies) == [200] + [401] * 5
    count = owner.execute("select count(*) from users where email = %s", (invitation["email"],)).fetchone()
    assert count == (1,)


async def test_ends_after_seven_days(acme: Organization, clock: MovableClock) -> None:
    invitation = await invited(acme.live)

    clock.advance(days=7, seconds=1)
    reply = await accepted(acme.world, invitation["token"], password=PASSWORD)

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_EXPIRED_TOKEN")
    assert [item["status"] for item in (await acme.live.call(LIST, {"status": "expired"}))["invitations"]] == [
        "expired"
    ]


async def test_a_revoked_one_is_over(acme: Organization) -> None:
    invitation = await invited(acme.live)

    revoked = await acme.live.call(REVOKE, {"invitation_id": invitation["invitation_id"]})

    assert revoked["status"] == "revoked"
    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 401
    assert (await acme.live.call(LIST))["invitations"] == []


async def test_a_new_one_replaces_the_old_one(acme: Organization) -> None:
    email = fresh_email()
    first, second = await invited(acme.live, "admin", email), await invited(acme.live, "viewer", email)

    assert (await accepted(acme.world, first["token"], password=PASSWORD)).status_code == 401
    assert (await accepted(acme.world, second["token"], password=PASSWORD)).status_code == 200


async def test_ends_with_who_sent_it(acme: Organization) -> None:
    admin = acme.person("admin")
    invitation = await invited(admin)

    await acme.live.call("/v1/members/remove", {"user_id": str(admin.user_id)})

    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 401


async def test_is_asleep_while_who_sent_it_may_not_send_it(acme: Organization) -> None:
    admin = acme.person("admin")
    invitation = await invited(admin)

    await acme.live.call("/v1/members/update", {"user_id": str(admin.user_id), "role": "editor"})

    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 401


async def test_ends_with_the_key_that_sent_it(acme: Organization) -> None:
    key = await acme.live.call("/v1/keys/create", {"name": "CRM", "scopes": ["admin"]})
    invitation = await invited(acme.world.client(key["key"]))
    assert invitation["invited_by_key"] == key["id"]

    await acme.live.call("/v1/keys/revoke", {"id": key["id"]})

    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 401


async def test_only_an_email_address_becomes_an_account(acme: Organization, owner: psycopg.Connection) -> None:
    invitation = await invited(acme.live)
    owner.execute(
        "update invitations set email = '[borrado]' where org_id = %s and id = %s",
        (acme.id, invitation["invitation_id"]),
    )

    reply = await accepted(acme.world, invitation["token"], password=PASSWORD)

    assert reply.status_code == 401
    assert owner.execute("select count(*) from users where email = '[borrado]'").fetchone() == (0,)


async def test_a_member_is_not_invited(acme: Organization) -> None:
    reply = await acme.live.post(INVITE, {"email": acme.email.upper(), "role": "viewer"})

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


@pytest.mark.parametrize(
    ("answer", "status", "field"),
    [
        ({"password": "too short"}, 400, "password"),
        ({}, 400, "password"),
        ({"password": "long enough, this is", "role": "admin"}, 400, "role"),
        ({"password": "long enough, this is", "name": ""}, 400, "name"),
        ({"password": 5}, 400, "password"),
    ],
)
async def test_answers_that_are_refused(acme: Organization, answer: dict[str, Any], status: int, field: str) -> None:
    invitation = await invited(acme.live)

    reply = await accepted(acme.world, invitation["token"], **answer)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (status, field)
    assert (await accepted(acme.world, invitation["token"], password=PASSWORD)).status_code == 200


async def test_the_address_is_no_password(acme: Organization) -> None:
    invitation = await invited(acme.live)

    reply = await accepted(acme.world, invitation["token"], password=invitation["email"])

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "password")


@pytest.mark.parametrize("token", ["", "x", "v1.nobody-has-this-one", "ñ"])
async def test_whatever_is_no_token(acme: Organization, token: str) -> None:
    reply = await accepted(acme.world, token, password=PASSWORD)

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")


async def test_guessing_is_slowed_down(acme: Organization) -> None:
    guesses = [(await accepted(acme.world, f"v1.guess-{number}")).status_code for number in range(101)]

    assert set(guesses[:100]) == {401}
    assert guesses[100] == 429


async def test_passwords_are_not_guessed_through_one(acme: Organization, rival: Organization) -> None:
    invitation = await invited(acme.live, "viewer", rival.email)

    guesses = [
        (await accepted(acme.world, invitation["token"], password=f"guess {number}")).status_code
        for number in range(21)
    ]

    assert guesses == [401] * 20 + [429]


async def test_who_joined_is_in_the_audit_log(acme: Organization, owner: psycopg.Connection) -> None:
    member = await joined(acme)

    user_id = (await member.call("/v1/account/get"))["user_id"]
    row = owner.execute(
        "select operation, actor, after ->> 'role' from audit_log where org_id = %s and resource_type = 'members'",
        (acme.id,),
    ).fetchone()
    assert row == ("auth.accept_invitation", f"user:{user_id}", "editor")


async def test_the_link_leads_to_a_page_that_asks_for_name_and_password(acme: Organization) -> None:
    made = await acme.live.call(INVITE, {"email": fresh_email(), "role": "viewer"})

    page = await acme.world.http.get(urlsplit(made["link"]).path)

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (await acme.world.http.get("/invitation/accept.js")).status_code == 200
