"""Files of a box that are replaced, deleted, restored, erased, tried again; what is deleted goes at once."""

import asyncio
from datetime import timedelta

import pytest

from bivelio_server.boxes import files as file_operations
from bivelio_server.chores import PRUNINGS
from bivelio_server.durable.pruning import prune
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.boxes.arranging import (
    a_box,
    add,
    content,
    files,
    index_version,
    make_failed,
    make_ready,
    share,
    tasks_of,
)
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_what_a_file_held_is_searched_until_its_new_content_is_ready(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    make_ready(acme, made["id"])

    replaced = await acme.live.call(
        "/v1/boxes/files/replace", {"box_id": box, "file_id": made["id"], "content_base64": content("Otro manual")}
    )

    assert (replaced["id"], replaced["file_name"]) == (made["id"], made["file_name"])
    assert (replaced["state"], replaced["searchable"], replaced["progress"]) == ("pending", True, 0)
    assert replaced["sha256"] != made["sha256"]
    assert replaced["version"] == made["version"] + 1


async def test_a_replacement_upon_an_old_version_is_refused(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    data = {"box_id": box, "file_id": made["id"], "content_base64": content("Otro manual"), "if_version": 1}
    await acme.live.call("/v1/boxes/files/replace", data)

    reply = await acme.live.post("/v1/boxes/files/replace", data)

    assert (reply.status_code, reply.json()["error"]["code"]) == (409, "CONFLICT")


async def test_a_deleted_file_is_gone_at_once_and_comes_back(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    make_ready(acme, made["id"])
    reference, version = {"box_id": box, "file_id": made["id"]}, index_version(acme, box)

    await acme.live.call("/v1/boxes/files/delete", reference)
    gone = await acme.live.post("/v1/boxes/files/get", reference)
    version_without = index_version(acme, box)
    deleted = await files(acme.live, box, deleted=True)
    restored = await acme.live.call("/v1/boxes/files/restore", reference)

    assert (gone.status_code, [file["id"] for file in deleted]) == (404, [made["id"]])
    assert (restored["state"], restored["searchable"], restored["deleted_at"]) == ("ready", True, None)
    assert (version_without, index_version(acme, box)) == (version + 1, version + 2)


async def test_a_file_that_was_deleted_while_it_was_read_is_read_anew(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    reference, first = {"box_id": box, "file_id": made["id"]}, tasks_of(acme, made["id"])

    await acme.live.call("/v1/boxes/files/delete", reference)
    restored = await acme.live.call("/v1/boxes/files/restore", reference)

    assert restored["state"] == "pending"
    assert tasks_of(acme, made["id"]) != first


async def test_a_file_that_missed_a_change_of_model_is_read_anew_when_it_comes_back(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    make_ready(acme, made["id"])
    reference = {"box_id": box, "file_id": made["id"]}
    await acme.live.call("/v1/boxes/files/delete", reference)
    acme.world.database.execute("update box_indexes set generation = 2 where box_id = %s", (box,))

    restored = await acme.live.call("/v1/boxes/files/restore", reference)

    assert restored["state"] == "pending"


async def test_a_failed_file_says_why_and_is_tried_again(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    make_failed(acme, made["id"])
    reference = {"box_id": box, "file_id": made["id"]}

    failed = await acme.live.call("/v1/boxes/files/get", reference)
    again = await acme.live.call("/v1/boxes/files/retry", reference)
    too_early = await acme.live.post("/v1/boxes/files/retry", reference)

    assert (failed["state"], failed["error"]["constraint"]) == ("failed", "encrypted")
    assert (again["state"], again["error"]) == ("pending", None)
    assert too_early.status_code == 409


async def test_viewers_read_and_change_nothing(acme: Organization) -> None:
    ana, box = acme.person("admin"), await a_box(acme.live)
    made = await add(acme.live, box)
    reference = {"box_id": box, "file_id": made["id"]}
    await share(acme.live, box, ana.email, "viewer")

    shown = await ana.call("/v1/boxes/files/get", reference)
    replies = [
        await ana.post("/v1/boxes/files/add", {"box_id": box, "filename": "x.txt", "content_base64": content("x")}),
        await ana.post("/v1/boxes/files/replace", {**reference, "content_base64": content("x")}),
        *[await ana.post(f"/v1/boxes/files/{verb}", reference) for verb in ("delete", "restore", "retry", "erase")],
    ]

    assert shown["id"] == made["id"]
    assert [reply.status_code for reply in replies] == [403] * 6


async def test_a_file_is_found_in_its_own_box_only(acme: Organization) -> None:
    box, other = await a_box(acme.live), await a_box(acme.live)
    made = await add(acme.live, box)

    for verb in ("get", "delete", "erase"):
        reply = await acme.live.post(f"/v1/boxes/files/{verb}", {"box_id": other, "file_id": made["id"]})

        assert (reply.status_code, reply.json()["error"]["details"]) == (404, {"field": "file_id"})


async def test_only_so_many_files_are_kept_however_many_come_at_once(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_operations, "MAX_FILES", 2)
    box = await a_box(acme.live)
    data = {"box_id": box, "filename": "x.txt", "content_base64": content("x")}

    replies = await asyncio.gather(*[acme.live.post("/v1/boxes/files/add", data) for _ in range(6)])

    assert sorted(reply.status_code for reply in replies) == [200, 200, 409, 409, 409, 409]
    assert len(await files(acme.live, box)) == 2


async def test_an_erased_file_leaves_nothing_behind(acme: Organization) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    make_ready(acme, made["id"])

    erased = await acme.live.call("/v1/boxes/files/erase", {"box_id": box, "file_id": made["id"]})

    assert erased == {"id": made["id"], "erased": True}
    for table in ("box_files", "box_pages", "box_chunks", "box_segments"):
        left = acme.world.database.execute(f"select from {table} where org_id = %s", (acme.id,)).fetchall()
        assert (table, left) == (table, [])


async def test_what_was_deleted_goes_for_good_after_thirty_days(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    box, gone_box = await a_box(acme.live, "Queda"), await a_box(acme.live, "Se va")
    kept, gone, in_gone_box = await add(acme.live, box), await add(acme.live, box), await add(acme.live, gone_box)
    for file in (kept, gone, in_gone_box):
        make_ready(acme, file["id"])
    await acme.live.call("/v1/boxes/files/delete", {"box_id": box, "file_id": gone["id"]})
    await acme.live.call("/v1/boxes/delete", {"box_id": gone_box})
    clock.advance(seconds=timedelta(days=31).total_seconds())

    await prune(services, PRUNINGS)

    database = acme.world.database
    for table in ("box_pages", "box_chunks", "box_segments"):
        left = database.execute(f"select file_id from {table} where org_id = %s", (acme.id,)).fetchall()
        assert (table, left) == (table, [(kept["id"],)])
    assert database.execute("select id from boxes where org_id = %s", (acme.id,)).fetchall() == [(box,)]
    assert database.execute("select id from box_files where org_id = %s", (acme.id,)).fetchall() == [(kept["id"],)]
