"""Boxes: who sees them, what is said of them, how they go and come back."""

from datetime import timedelta

import pytest

from bivelio_server.boxes import operations
from bivelio_server.kit.clock import MovableClock
from tests.boxes.arranging import a_box, add, content, files, index_version, make_failed, make_ready, share
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio


async def names(client: Client, **asked: object) -> list[str]:
    """Of the boxes that are listed."""
    found = await client.call("/v1/boxes/list", asked)
    return [box["name"] for box in found["boxes"]]


async def test_whoever_makes_a_box_owns_it(acme: Organization) -> None:
    made = await acme.live.call("/v1/boxes/create", {"name": "Manuales", "description": "De las calderas"})

    assert made["id"].startswith("box_")
    assert (made["role"], made["version"], made["deleted_at"]) == ("owner", 1, None)
    assert made["files"] == {"pending": 0, "processing": 0, "ready": 0, "failed": 0, "total": 0}
    assert await acme.live.call("/v1/boxes/get", {"box_id": made["id"]}) == made


async def test_a_box_says_how_its_files_are(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = [await add(acme.live, box) for _ in range(3)]
    make_ready(acme, made[0]["id"])
    make_failed(acme, made[1]["id"])

    shown = await acme.live.call("/v1/boxes/get", {"box_id": box})

    assert shown["files"] == {"pending": 1, "processing": 0, "ready": 1, "failed": 1, "total": 3}


async def test_only_members_see_a_box_whatever_they_are_in_the_organisation(acme: Organization) -> None:
    ana, admin = acme.person("editor"), acme.person("admin")
    box = await a_box(ana, "Privada")

    unseen = await admin.post("/v1/boxes/get", {"box_id": box})
    absent = await admin.post("/v1/boxes/get", {"box_id": "box_01jqv8x8zsf5qr4ys7sd5rf3zk"})

    assert (unseen.status_code, unseen.json()) == (absent.status_code, absent.json())
    assert unseen.status_code == 404
    assert (await names(ana), await names(admin), await names(acme.owner)) == (["Privada"], [], [])


async def test_boxes_are_listed_newest_first_by_pages(acme: Organization, clock: MovableClock) -> None:
    for name in ("Primera", "Segunda", "Tercera"):
        await a_box(acme.live, name)
        clock.advance(seconds=1)

    assert await names(acme.live, per_page=2) == ["Tercera", "Segunda"]
    assert await names(acme.live, per_page=2, page=2) == ["Primera"]


async def test_an_admin_of_the_box_changes_it_an_editor_does_not(acme: Organization) -> None:
    box = await a_box(acme.live)
    admin, editor = acme.person("editor"), acme.person("editor")
    await share(acme.live, box, admin.email, "admin")
    await share(acme.live, box, editor.email, "editor")

    changed = await admin.call("/v1/boxes/update", {"box_id": box, "name": "Contratos"})
    refused = await editor.post("/v1/boxes/update", {"box_id": box, "name": "Mía"})

    assert (changed["name"], changed["version"], changed["role"]) == ("Contratos", 2, "admin")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert refused.json()["error"]["details"] == {"field": "box_id"}


async def test_a_change_upon_an_old_version_is_refused(acme: Organization) -> None:
    box = await a_box(acme.live)
    await acme.live.call("/v1/boxes/update", {"box_id": box, "description": "Nueva"})

    stale = await acme.live.post("/v1/boxes/update", {"box_id": box, "name": "Otra", "if_version": 1})
    nameless = await acme.live.post("/v1/boxes/update", {"box_id": box, "name": None})

    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "CONFLICT")
    assert (nameless.status_code, nameless.json()["error"]["details"]["field"]) == (400, "name")


async def test_a_deleted_box_is_gone_and_comes_back_with_its_files(acme: Organization) -> None:
    box = await a_box(acme.live)
    ready, waiting = await add(acme.live, box), await add(acme.live, box)
    make_ready(acme, ready["id"])
    version = index_version(acme, box)

    await acme.live.call("/v1/boxes/delete", {"box_id": box})
    gone = await acme.live.post("/v1/boxes/files/list", {"box_id": box})
    deleted = await names(acme.live, deleted=True)
    restored = await acme.live.call("/v1/boxes/restore", {"box_id": box})

    assert (gone.status_code, deleted, restored["deleted_at"]) == (404, ["Manuales"], None)
    assert {file["id"]: file["state"] for file in await files(acme.live, box)} == {
        ready["id"]: "ready",
        waiting["id"]: "pending",
    }
    assert index_version(acme, box) == version + 2


async def test_only_an_owner_deletes_or_restores_a_box(acme: Organization) -> None:
    box = await a_box(acme.live)
    admin = acme.person("admin")
    await share(acme.live, box, admin.email, "admin")

    deleting = await admin.post("/v1/boxes/delete", {"box_id": box})
    await acme.live.call("/v1/boxes/delete", {"box_id": box})
    restoring = await admin.post("/v1/boxes/restore", {"box_id": box})

    assert (deleting.status_code, restoring.status_code) == (403, 403)


async def test_a_box_cannot_be_restored_after_thirty_days(acme: Organization, clock: MovableClock) -> None:
    box = await a_box(acme.live)
    await acme.live.call("/v1/boxes/delete", {"box_id": box})
    clock.advance(seconds=timedelta(days=31).total_seconds())

    reply = await acme.live.post("/v1/boxes/restore", {"box_id": box})

    assert (reply.status_code, await names(acme.live, deleted=True)) == (404, [])


async def test_an_erased_box_is_gone_for_good_with_all_that_was_in_it(acme: Organization) -> None:
    box = await a_box(acme.live)
    file = await add(acme.live, box)
    make_ready(acme, file["id"])

    erased = await acme.live.call("/v1/boxes/erase", {"box_id": box})

    assert erased == {"id": box, "erased": True}
    assert (await acme.live.post("/v1/boxes/restore", {"box_id": box})).status_code == 404
    for table in ("box_members", "box_files", "box_pages", "box_chunks", "box_segments", "box_indexes"):
        left = acme.world.database.execute(f"select from {table} where org_id = %s", (acme.id,)).fetchall()
        assert (table, left) == (table, [])


async def test_only_so_many_boxes_are_kept(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MAX_BOXES", 1)
    await a_box(acme.live)

    reply = await acme.live.post("/v1/boxes/create", {"name": "Otra"})

    assert (reply.status_code, reply.json()["error"]["details"]) == (409, {"maximum": 1})


async def test_the_organisations_owner_lists_all_boxes_and_nobody_else_does(acme: Organization) -> None:
    editor = acme.person("editor")
    box = await a_box(editor, "De la editora")

    shown = await acme.owner.call("/v1/boxes/list", {"all": True})
    by_key = await acme.live.post("/v1/boxes/list", {"all": True})
    by_admin = await acme.person("admin").post("/v1/boxes/list", {"all": True})

    assert [(found["id"], found["role"]) for found in shown["boxes"]] == [(box, None)]
    assert (by_key.status_code, by_admin.status_code) == (403, 403)
    assert (await acme.owner.post("/v1/boxes/files/list", {"box_id": box})).status_code == 404


async def test_a_document_needs_a_name_that_is_one(acme: Organization) -> None:
    box = await a_box(acme.live)
    data = {"box_id": box, "content_base64": content("x")}

    nameless = await acme.live.post("/v1/boxes/files/add", data)
    hostile = await acme.live.post("/v1/boxes/files/add", {**data, "filename": "../../etc/passwd"})

    assert (nameless.status_code, nameless.json()["error"]["details"]["field"]) == (400, "filename")
    assert (hostile.status_code, hostile.json()["error"]["details"]["field"]) == (400, "filename")
