"""Every refusal of the public API: its status, its code, and words that say what to mend."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import psycopg
import pytest

from bivelio_server.boxes.public.endpoint import MOST_BYTES
from bivelio_server.boxes.public.key_format import generate_box_key
from bivelio_server.boxes.search_schemas import MAX_NEIGHBOURS, MAX_QUERY, MAX_RESULTS, MAX_SOURCES
from tests.boxes.public.arranging import (
    BASE,
    Asker,
    Scripted,
    asker,
    error_of,
    give_units,
    limits_of,
    make_box,
    make_key,
    outcome,
)
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

UNAUTHORIZED = {
    "code": "B3002",
    "category": "permissions",
    "summary": "Unauthorized user",
    "cause": "API Key not found",
}


async def test_a_key_that_nobody_has_is_unauthorized_as_the_reference_prints(world: World) -> None:
    reply = await Asker(world.http, generate_box_key().key).check()

    assert reply.status_code == 401
    assert reply.json() == {"success": False, "error": UNAUTHORIZED}
    assert reply.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("key", ["bbfe_short", "bv_live_sk_" + "x" * 30, "é", "Basic", ""])
async def test_what_is_no_key_is_unauthorized(world: World, key: str) -> None:
    reply = await world.http.get(f"{BASE}/check", headers={"Authorization": f"Bearer {key}".encode()})

    assert outcome(reply) == (401, "B3002")


async def test_without_a_key_it_is_unauthorized_and_the_limits_are_told(world: World) -> None:
    reply = await Asker(world.http, None).check()

    assert outcome(reply) == (401, "B3002")
    assert "bbfe_" in error_of(reply)["cause"]
    told = limits_of(reply)
    assert told["remaining-user"] == 0
    assert told["hits"] > 0


async def test_a_key_of_the_other_api_does_not_work_here(acme: Organization) -> None:
    reply = await acme.world.http.get(f"{BASE}/check", headers=acme.live.headers)

    assert outcome(reply) == (401, "B3002")


async def test_a_key_of_boxes_does_not_work_there(acme: Organization) -> None:
    reply = await acme.world.bearer(make_key(acme)).post("/v1/contacts")

    assert (reply.status_code, reply.json()["error"]["code"]) == (401, "AUTH_INVALID_TOKEN")


async def test_an_expired_key_is_told_so(acme: Organization) -> None:
    reply = await asker(acme, expires_at=datetime.now(UTC) - timedelta(seconds=1)).check()

    assert outcome(reply) == (401, "B3002")
    assert error_of(reply)["cause"] == "API Key expired"


async def test_a_revoked_key_is_none(acme: Organization) -> None:
    reply = await asker(acme, revoked_at=datetime.now(UTC)).check()

    assert reply.json()["error"] == UNAUTHORIZED


async def test_spanish_is_spoken_where_it_is_asked_for(world: World) -> None:
    reply = await Asker(world.http, generate_box_key().key).check(**{"Accept-Language": "es-ES,en;q=0.5"})

    assert reply.headers["content-language"] == "es"
    assert error_of(reply) == UNAUTHORIZED | {"summary": "Usuario no autorizado", "cause": "La clave de API no existe"}


async def test_a_box_that_is_closed_is_one_that_is_not_there(
    acme: Organization, rival: Organization, scripted: Scripted
) -> None:
    person = acme.member("viewer")
    boxes = {
        "viewer": make_box(acme, owner=acme.owner_id, viewer=person),
        "editor": make_box(acme, owner=acme.owner_id, editor=person),
        "no member": make_box(acme),
        "sandbox": make_box(acme, "sandbox", owner=person),
        "rival": make_box(rival),
        "absent": "box_01h0000000000000000000000z",
        "malformed": "no es un id",
    }
    key = asker(acme, person)

    searched = {name: await key.retrieve(box) for name, box in boxes.items()}
    read = {name: await key.read(box, "file_1") for name, box in boxes.items()}

    for replies in (searched, read):
        assert {outcome(reply) for reply in replies.values()} == {(403, "B3002")}
        assert len({reply.content for reply in replies.values()}) == 1
    assert searched["viewer"].content == read["viewer"].content


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_who_administers_a_box_may_whatever_their_role_in_the_organization(
    acme: Organization, scripted: Scripted, role: str
) -> None:
    person = acme.member("viewer")
    box = make_box(acme, **{role: person})

    assert (await asker(acme, person).retrieve(box)).status_code == 200


async def test_the_owner_of_the_organization_may_not_where_they_are_no_member(
    acme: Organization, scripted: Scripted
) -> None:
    box = make_box(acme, owner=acme.member("editor"))

    assert outcome(await asker(acme).retrieve(box)) == (403, "B3002")


async def test_a_deleted_box_is_closed(acme: Organization, owner: psycopg.Connection, scripted: Scripted) -> None:
    box = make_box(acme)
    owner.execute("update boxes set deleted_at = now() where id = %s", (box,))

    assert outcome(await asker(acme).retrieve(box)) == (403, "B3002")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": 7}, "query"),
        ({"query": ""}, "query"),
        ({"query": " \n"}, "query"),
        ({"query": "q" * (MAX_QUERY + 1)}, "query"),
        ({"query": "q", "sources": "file_1"}, "sources"),
        ({"query": "q", "sources": []}, "sources"),
        ({"query": "q", "sources": [7]}, "sources[0]"),
        ({"query": "q", "sources": ["file_1"] * (MAX_SOURCES + 1)}, "sources"),
        ({"query": "q", "top_k": 0}, "top_k"),
        ({"query": "q", "top_k": MAX_RESULTS + 1}, "top_k"),
        ({"query": "q", "top_k": True}, "top_k"),
        ({"query": "q", "min_score": 1.01}, "min_score"),
        ({"query": "q", "min_score": "0.5"}, "min_score"),
        ({"query": "q", "neighbours": MAX_NEIGHBOURS + 1}, "neighbours"),
        ({"query": "q", "unknown": 1}, "unknown"),
        (["q"], "body"),
    ],
)
async def test_a_wrong_parameter_is_named(acme: Organization, body: Any, field: str) -> None:
    reply = await asker(acme).ask("boxes/box_1/retrieve-documents", body)

    assert outcome(reply) == (400, "B1004")
    assert f"'{field}'" in error_of(reply)["cause"]


@pytest.mark.parametrize("body", [{}, {"sources": None}, {"sources": []}, {"sources": ["f"], "query": "q"}])
async def test_full_documents_need_sources_and_nothing_else(acme: Organization, body: Any) -> None:
    assert outcome(await asker(acme).ask("boxes/box_1/retrieve-full-documents", body)) == (400, "B1004")


@pytest.mark.parametrize("content", [b"{", b'{"query": "a", "query": "b"}', b'{"query": "\\u0000"}', b"\xff"])
async def test_broken_json_is_refused(acme: Organization, content: bytes) -> None:
    assert outcome(await post(asker(acme), content)) == (400, "B1004")


async def test_what_is_wrong_with_the_request_itself_keeps_its_status(acme: Organization) -> None:
    key = asker(acme)

    refused = {
        404: await key.ask("boxes/box_1/retrieve", {}),
        405: await key.http.get(f"{BASE}/boxes/box_1/retrieve-documents", headers=key.headers),
        413: await post(key, b'{"query": "%s"}' % (b"q" * MOST_BYTES)),
        415: await post(key, b"query=q", "application/x-www-form-urlencoded"),
    }

    for status, reply in refused.items():
        assert outcome(reply) == (status, "B1004")
        limits_of(reply)
    assert refused[405].headers["allow"] == "POST"


async def test_everything_below_the_address_is_told_in_its_shape(world: World, acme: Organization) -> None:
    key = asker(acme)

    assert outcome(await key.http.get("/api/public/v2/check", headers=key.headers)) == (404, "B1004")
    assert outcome(await key.ask("boxes/box_1%0A/retrieve", {})) == (404, "B1004")
    assert outcome(await key.http.get("/api/public/v2/check")) == (401, "B3002")
    assert outcome(await key.http.post(f"{BASE}/check", headers=key.headers)) == (405, "B1004")


async def test_no_units_left_is_a_402_that_says_when_there_are_more(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    give_units(acme, 0)

    reply = await asker(acme).retrieve(box)

    assert outcome(reply) == (402, "B3107")
    assert error_of(reply)["category"] == "quota"
    assert scripted.asked == []


async def test_without_units_files_can_still_be_read(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    give_units(acme, 0)

    assert (await asker(acme).read(box, "file_1")).status_code == 200


async def test_a_defect_shows_nothing_of_itself(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    scripted.failing.append(ZeroDivisionError("secret thing"))

    reply = await asker(acme).retrieve(box)

    assert outcome(reply) == (500, "B1000")
    assert "secret" not in reply.text
    assert "ZeroDivision" not in reply.text
    assert limits_of(reply)["hits"] == 1


async def test_when_the_database_is_away_it_says_so_in_its_shape(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    scripted.failing.append(psycopg.OperationalError("gone"))

    reply = await asker(acme).retrieve(box)

    assert outcome(reply) == (503, "B1000")
    assert reply.headers["retry-after"] == "5"


async def post(key: Asker, content: bytes, content_type: str = "application/json") -> httpx2.Response:
    headers = key.headers | {"Content-Type": content_type}
    return await key.http.post(f"{BASE}/boxes/box_1/retrieve-documents", content=content, headers=headers)
