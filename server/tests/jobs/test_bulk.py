"""contacts.bulk_tag and contacts.bulk_delete."""

import psycopg
import pytest

from tests.contacts.arranging import contact
from tests.jobs.arranging import contacts, done, errors_of, imported
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_tags_by_filter(acme: Organization) -> None:
    for name, tags in (("Maria", ["a", "b"]), ("Juan", ["b"]), ("Ana", ["c"]), ("Eva", ["x", "b"])):
        await contact(acme.live, name, tags=tags)

    found = await done(acme.live, "/v1/contacts/bulk_tag", {"filter": {"tags": ["b"]}, "add": ["x"], "remove": ["a"]})

    assert {made["name"]: (made["tags"], made["version"]) for made in await contacts(acme.live)} == {
        "Maria": (["b", "x"], 2), "Juan": (["b", "x"], 2), "Ana": (["c"], 1), "Eva": (["x", "b"], 1),
    }  # fmt: skip
    assert found["counts"] == {"total": 3, "contacts": 3, "updated": 2, "unchanged": 1, "failed": 0, "errors": 0}


async def test_tags_by_ids_in_batches(acme: Organization, owner: psycopg.Connection) -> None:
    lines = [f"Persona {n}" for n in range(1100)]
    await imported(acme.live, "name", *lines, match="none")
    ids = [id_ for (id_,) in owner.execute("select id from contacts where org_id = %s", (acme.id,))]

    found = await done(acme.live, "/v1/contacts/bulk_tag", {"ids": ids, "add": ["vip"]})

    assert (found["counts"]["updated"], found["progress"]) == (1100, 1)
    assert (await acme.live.call("/v1/contacts", {"tags": ["vip"]}))["pagination"]["total"] == 1100
    deleted = await done(acme.live, "/v1/contacts/bulk_delete", {"filter": {"search": "persona"}})
    assert deleted["counts"]["deleted"] == 1100


async def test_a_contact_takes_no_more_tags_than_it_may(acme: Organization) -> None:
    full = await contact(acme.live, "Maria", tags=[f"t{n}" for n in range(50)])

    found = await done(acme.live, "/v1/contacts/bulk_tag", {"ids": [full["id"]], "add": ["more"]})

    assert errors_of(found) == [(None, full["id"], "max_items")]
    assert found["counts"]["failed"] == 1


async def test_deleted_ones_can_be_restored_and_their_history_tells(acme: Organization) -> None:
    maria = await contact(acme.live, "Maria")

    found = await done(acme.live, "/v1/contacts/bulk_delete", {"ids": [maria["id"]]})

    assert found["counts"]["deleted"] == 1
    assert await contacts(acme.live) == []
    [entry, _] = (await acme.live.call("/v1/contacts/history", {"id": maria["id"]}))["entries"]
    assert (entry["operation"], entry["changes"][0]["field"]) == ("contacts.bulk_delete", "deleted_at")
    assert entry["version"] == maria["version"]
    await acme.live.call("/v1/contacts/restore", {"id": maria["id"]})
    assert len(await contacts(acme.live)) == 1


async def test_an_id_of_nobody_is_refused_before_anything_happens(acme: Organization, rival: Organization) -> None:
    mine, theirs = await contact(acme.live, "Maria"), await contact(rival.live, "Juan")

    for path in ("bulk_tag", "bulk_delete"):
        for id_ in (theirs["id"], "no es un id", "ct_00000000000000000000000000"):
            data = {"ids": [mine["id"], id_], **({"add": ["x"]} if path == "bulk_tag" else {})}
            reply = await acme.live.post(f"/v1/contacts/{path}", data)
            assert reply.status_code == 404
            assert reply.json()["error"]["details"] == {"field": "ids[1]"}


@pytest.mark.parametrize("data", [{}, {"ids": ["ct_1"], "filter": {}}, {"ids": []}])
async def test_either_ids_or_a_filter(acme: Organization, data: dict[str, object]) -> None:
    reply = await acme.live.post("/v1/contacts/bulk_delete", data)

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (400, "ids")
