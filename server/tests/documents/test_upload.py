"""documents.upload, and what becomes of a document by other operations."""

import base64
import json
from typing import Any

import httpx2
import pytest

from bivelio_server.chores import PRUNINGS
from bivelio_server.documents import uploading
from bivelio_server.durable.pruning import prune
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import sha256_of
from bivelio_server.storage.collecting import collect
from tests.documents.arranging import PDF, content, document, uploaded
from tests.storage.arranging import files_of
from tests.usage.arranging import credits_of, give_credits
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_replies_as_the_reference_prints(acme: Organization, services: Services) -> None:
    made = await uploaded(
        acme.live, PDF, "contrato_cliente_abc.pdf", folder="contracts", tags=["cliente_abc", "2026", "2026"]
    )

    assert made["document_id"].startswith("doc_")
    assert made["url"].startswith(f"{services.settings.address}/v1/documents/files/")
    printed = ("filename", "size_bytes", "mime_type", "folder", "tags", "classification", "status", "sha256")
    assert {name: made[name] for name in printed} == {
        "filename": "contrato_cliente_abc.pdf",
        "size_bytes": len(PDF),
        "mime_type": "application/pdf",
        "folder": "contracts",
        "tags": ["cliente_abc", "2026"],
        "classification": None,
        "status": "uploaded",
        "sha256": sha256_of(PDF),
    }
    assert (await document(acme.live, made)).keys() == made.keys()


async def test_takes_a_part_of_multipart(acme: Organization, http: httpx2.AsyncClient) -> None:
    big = PDF + bytes(2_000_000)

    reply = await http.post(
        "/v1/documents/upload",
        data={"action": "upload", "data": json.dumps({"filename": "big.pdf", "folder": "a/b"})},
        files={"file": ("whatever.exe", big)},
        headers=acme.live.headers,
    )

    assert reply.status_code == 200, reply.text
    assert reply.json()["data"]["size_bytes"] == len(big)
    assert reply.json()["data"]["mime_type"] == "application/pdf"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"content_base64": ""}, "content_base64"),
        ({"content_base64": "no es base64"}, "content_base64"),
        ({"content_base64": None}, "content_base64"),
        ({"filename": "../../etc/passwd"}, "filename"),
        ({"filename": "a\nb.pdf"}, "filename"),
        ({"filename": " "}, "filename"),
        ({"folder": "/absolute"}, "folder"),
        ({"folder": "a/../b"}, "folder"),
        ({"folder": ""}, "folder"),
        ({"tags": [""]}, "tags[0]"),
    ],
)
async def test_names_what_is_wrong(acme: Organization, services: Services, fields: Any, field: str) -> None:
    reply = await acme.live.post(
        "/v1/documents/upload", {"filename": "a.pdf", "content_base64": content(PDF), **fields}
    )

    assert reply.status_code == 400, reply.text
    assert reply.json()["error"]["details"]["field"] == field
    assert await files_of(services, acme) == []


async def test_a_file_that_is_too_large_is_refused(
    acme: Organization, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.settings, "document_bytes", 10)

    reply = await acme.live.post("/v1/documents/upload", {"filename": "a.pdf", "content_base64": content(PDF)})

    assert reply.status_code == 413
    assert reply.json()["error"]["details"]["field"] == "content_base64"
    assert await files_of(services, acme) == []


async def test_without_credits_nothing_is_kept(acme: Organization, services: Services) -> None:
    give_credits(acme, 4)

    reply = await acme.live.post(
        "/v1/documents/upload",
        {"filename": "a.pdf", "content_base64": content(PDF), "auto_classify": True, "auto_extract": True},
    )

    assert (reply.status_code, reply.json()["error"]["code"]) == (403, "CREDITS_EXHAUSTED")
    assert await credits_of(acme.live) == (0, 0, 4)
    assert (await acme.live.call("/v1/documents/list", {}))["documents"] == []
    assert await files_of(services, acme) == []


async def test_list_filters(acme: Organization, rival: Organization) -> None:
    contract = await uploaded(acme.live, PDF, "Contrato Peña.pdf", folder="contracts", tags=["a", "b"])
    other = await uploaded(acme.live, "hola", "nota.txt", tags=["a"])
    await uploaded(rival.live, PDF, "Contrato ajeno.pdf", folder="contracts", tags=["a"])

    async def listed(**filters: Any) -> list[str]:
        page = await acme.live.call("/v1/documents/list", filters)
        return [found["document_id"] for found in page["documents"]]

    assert await listed() == [other["document_id"], contract["document_id"]]
    assert await listed(search="contrato pena") == [contract["document_id"]]
    assert await listed(folder="contracts") == [contract["document_id"]]
    assert await listed(tags=["a", "b"]) == [contract["document_id"]]
    assert await listed(status="processed") == []
    assert await listed(type="contract") == []
    assert await acme.live.call("/v1/documents/list_folders", {}) == {
        "folders": [{"folder": "contracts", "documents": 1}, {"folder": None, "documents": 1}]
    }


async def test_update_changes_what_is_given(acme: Organization) -> None:
    made = await uploaded(acme.live, folder="inbox")

    updated = await acme.live.call(
        "/v1/documents/update",
        {"document_id": made["document_id"], "folder": None, "tags": ["x"], "filename": "otro.txt", "if_version": 1},
    )
    stale = await acme.live.post("/v1/documents/update", {"document_id": made["document_id"], "if_version": 1})
    null = await acme.live.post("/v1/documents/update", {"document_id": made["document_id"], "tags": None})

    assert (updated["folder"], updated["tags"], updated["filename"], updated["version"]) == (None, ["x"], "otro.txt", 2)
    assert (await acme.live.call("/v1/documents/list", {"search": "otro"}))["pagination"]["total"] == 1
    assert (stale.status_code, stale.json()["error"]["code"]) == (409, "CONFLICT")
    assert (null.status_code, null.json()["error"]["details"]["field"]) == (400, "tags")


async def test_a_deleted_document_comes_back(acme: Organization, services: Services) -> None:
    made = await uploaded(acme.live)
    reference = {"document_id": made["document_id"]}

    await acme.live.call("/v1/documents/delete", reference)
    gone = await acme.live.post("/v1/documents/get", reference)
    deleted = await acme.live.call("/v1/documents/list", {"deleted": True})
    restored = await acme.live.call("/v1/documents/restore", reference)

    assert gone.status_code == 404
    assert [found["document_id"] for found in deleted["documents"]] == [made["document_id"]]
    assert restored["deleted_at"] is None
    assert len(await files_of(services, acme)) == 1


@pytest.mark.usefixtures("others_keep_everything")
async def test_its_file_goes_with_the_row(acme: Organization, services: Services, clock: MovableClock) -> None:
    erased, pruned = await uploaded(acme.live), await uploaded(acme.live)

    await acme.live.call("/v1/documents/erase", {"document_id": erased["document_id"]})
    await acme.live.call("/v1/documents/delete", {"document_id": pruned["document_id"]})
    await collect(services)
    meanwhile = len(await files_of(services, acme))
    clock.advance(days=31)
    await prune(services, PRUNINGS)
    await collect(services)

    assert meanwhile == 1
    assert await files_of(services, acme) == []


def test_the_largest_document_fits_into_a_request() -> None:
    assert len(base64.b64encode(bytes(3))) * uploading.MAX_DOCUMENT_BYTES // 3 < uploading.MAX_BODY_BYTES
