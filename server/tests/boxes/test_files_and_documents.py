"""A document in a box: shared, not copied, and each goes its own way."""

import pytest

from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import StorageKey
from bivelio_server.storage.collecting import collect
from tests.boxes.arranging import a_box, add, content, files
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def uploaded(acme: Organization) -> str:
    made = await acme.live.call(
        "/v1/documents/upload", {"filename": "contrato.txt", "content_base64": content("Contrato de obra")}
    )
    return str(made["document_id"])


async def test_a_document_brings_its_name_and_type(acme: Organization) -> None:
    box, document_id = await a_box(acme.live), await uploaded(acme)

    made = await acme.live.call("/v1/boxes/files/add", {"box_id": box, "document_id": document_id})
    renamed = await acme.live.call(
        "/v1/boxes/files/add", {"box_id": box, "document_id": document_id, "filename": "obra.txt"}
    )

    assert (made["document_id"], made["file_name"], made["mime_type"]) == (document_id, "contrato.txt", "text/plain")
    assert (renamed["file_name"], renamed["sha256"]) == ("obra.txt", made["sha256"])


async def test_the_box_keeps_what_the_document_held_when_that_is_erased(acme: Organization, services: Services) -> None:
    box, document_id = await a_box(acme.live), await uploaded(acme)
    await acme.live.call("/v1/boxes/files/add", {"box_id": box, "document_id": document_id})

    await acme.live.call("/v1/documents/erase", {"document_id": document_id})
    await collect(services)

    [file] = await files(acme.live, box)
    assert file["document_id"] == document_id
    assert await stored(acme, services) == b"Contrato de obra"


async def test_a_document_outlives_the_file_of_a_box(acme: Organization, services: Services) -> None:
    box, document_id = await a_box(acme.live), await uploaded(acme)
    made = await acme.live.call("/v1/boxes/files/add", {"box_id": box, "document_id": document_id})
    key = file_key(acme)

    await acme.live.call("/v1/boxes/files/erase", {"box_id": box, "file_id": made["id"]})
    await collect(services)

    assert await services.storage.get(StorageKey(key)) == b"Contrato de obra"


async def test_either_a_file_or_a_document(acme: Organization) -> None:
    box, document_id = await a_box(acme.live), await uploaded(acme)

    both = await acme.live.post(
        "/v1/boxes/files/add",
        {"box_id": box, "filename": "x.txt", "content_base64": content("x"), "document_id": document_id},
    )
    neither = await acme.live.post("/v1/boxes/files/add", {"box_id": box, "filename": "x.txt"})
    empty = await acme.live.post("/v1/boxes/files/add", {"box_id": box, "filename": "x.txt", "content_base64": ""})

    refused = [(reply.status_code, reply.json()["error"]["details"]["field"]) for reply in (both, neither, empty)]
    assert refused == [(400, "document_id"), (400, "content_base64"), (400, "content_base64")]


async def test_an_unknown_or_deleted_document_is_a_missing_one(acme: Organization, rival: Organization) -> None:
    box, gone, foreign = await a_box(acme.live), await uploaded(acme), await uploaded(rival)
    await acme.live.call("/v1/documents/delete", {"document_id": gone})

    for document_id in (gone, foreign, "no es un id"):
        reply = await acme.live.post("/v1/boxes/files/add", {"box_id": box, "document_id": document_id})

        assert (reply.status_code, reply.json()["error"]["details"]) == (404, {"field": "document_id"})


async def test_whoever_may_only_write_in_boxes_reads_no_document_by_way_of_them(acme: Organization) -> None:
    box, document_id = await a_box(acme.live), await uploaded(acme)
    narrow = acme.key("boxes:write")

    by_document = await narrow.post("/v1/boxes/files/add", {"box_id": box, "document_id": document_id})
    by_file = await add(narrow, box)

    assert (by_document.status_code, by_document.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert by_file["state"] == "pending"


async def test_a_file_that_is_refused_leaves_nothing_in_storage(acme: Organization, services: Services) -> None:
    box = await a_box(acme.live)
    made = await add(acme.live, box)
    before = [file async for file in services.storage.walk(f"{acme.id}/live/")]

    reply = await acme.live.post(
        "/v1/boxes/files/replace",
        {"box_id": box, "file_id": made["id"], "content_base64": content("x"), "if_version": 7},
    )

    assert reply.status_code == 409
    assert [file async for file in services.storage.walk(f"{acme.id}/live/")] == before


def file_key(acme: Organization) -> str:
    row = acme.world.database.execute("select file ->> 'key' from box_files where org_id = %s", (acme.id,)).fetchone()
    assert row is not None
    return str(row[0])


async def stored(acme: Organization, services: Services) -> bytes:
    return await services.storage.get(StorageKey(file_key(acme)))
