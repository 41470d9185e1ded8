"""Who may search, and what is gone from the very next answer."""

import psycopg
import pytest

from bivelio_server.kit.caller import Environment
from tests.boxes.searching import refused, search, texts
from tests.boxes.stocking import Stock, WordsModel, a_box
from tests.scripted import SCRIPTS
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_members_of_every_role_may(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera")
    for role in ("viewer", "editor", "admin"):
        user_id = acme.member("viewer")
        box.member(user_id, role)

        assert await texts(acme.key("read", made_by=user_id), box, "caldera") == ["caldera"]


async def test_who_is_no_member_finds_no_box(acme: Organization, rival: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera")
    SCRIPTS.give(rival.id, WordsModel())
    admin = acme.key("admin", made_by=acme.member("admin"))

    for client in (admin, acme.sandbox, rival.live):
        assert await refused(client, box) == (404, "RESOURCE_NOT_FOUND")


async def test_a_removed_member_finds_nothing_from_then_on(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera")
    user_id = acme.member("viewer")
    box.member(user_id)
    client = acme.key("read", made_by=user_id)
    assert await texts(client, box, "caldera") == ["caldera"]

    box.remove_member(user_id)

    assert await refused(client, box) == (404, "RESOURCE_NOT_FOUND")


async def test_a_deleted_box_is_none(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", "caldera")
    assert await texts(acme.live, box, "caldera") == ["caldera"]

    box.run("update boxes set deleted_at = now() where id = %(box_id)s")

    assert await refused(acme.live, box) == (404, "RESOURCE_NOT_FOUND")


async def test_files_come_and_go_with_the_next_answer(acme: Organization, box: Stock) -> None:
    kept = box.add("a.pdf", "caldera uno")
    gone = box.add("b.pdf", "caldera dos")
    assert sorted(await texts(acme.live, box, "caldera")) == ["caldera dos", "caldera uno"]

    box.delete(gone)
    assert await texts(acme.live, box, "caldera") == ["caldera uno"]

    box.add("a.pdf", "caldera tres", file_id=kept)
    assert await texts(acme.live, box, "caldera") == ["caldera tres"]

    box.restore(gone)
    assert sorted(await texts(acme.live, box, "caldera")) == ["caldera dos", "caldera tres"]


async def test_a_file_that_is_gone_is_not_told_whatever_the_version_says(acme: Organization, box: Stock) -> None:
    box.add("a.pdf", *[f"caldera {n}" for n in range(5)])
    gone = box.add("b.pdf", *["caldera"] * 300)
    assert len(await texts(acme.live, box, "caldera", top_k=3)) == 3

    box.run("update box_files set deleted_at = now() where id = %(file_id)s", file_id=gone)

    found = await search(acme.live, box, "caldera", top_k=5)
    assert [result["file_name"] for result in found] == ["a.pdf"] * 5


async def test_boxes_are_walls_apart(acme: Organization, rival: Organization, box: Stock) -> None:
    SCRIPTS.give(rival.id, WordsModel())
    others = [a_box(acme), a_box(acme, Environment.sandbox.value), a_box(rival)]
    box.add("mine.pdf", "caldera propia")
    foreign = [other.add("theirs.pdf", f"caldera ajena {n}") for n, other in enumerate(others)]

    assert await texts(acme.live, box, "caldera ajena") == ["caldera propia"]
    assert await search(acme.live, box, "caldera", sources=foreign) == []
    assert await texts(acme.sandbox, others[1], "caldera") == ["caldera ajena 1"]
    assert await texts(rival.live, others[2], "caldera") == ["caldera ajena 2"]


async def test_nothing_of_a_search_stays_behind_where_it_is_refused(
    acme: Organization, box: Stock, owner: psycopg.Connection
) -> None:
    stranger = acme.key("read", made_by=acme.member("admin"))

    assert await refused(stranger, box) == (404, "RESOURCE_NOT_FOUND")
    assert await refused(acme.key("contacts:read"), box) == (403, "AUTH_INSUFFICIENT_SCOPE")
