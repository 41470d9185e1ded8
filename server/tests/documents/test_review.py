"""What is read with doubt waits for a person, whose corrections stand beside the original and are counted."""

from typing import Any

import pytest

from tests.documents.arranging import an_extraction, uploaded
from tests.documents.conftest import Scripts
from tests.world import Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
VALUES = {"total": 1210, "issuer": {"nif": "B9876543Z"}, "line_items": [{"quantity": 1}], "date": None}


@pytest.fixture
async def pending(acme: Organization, scripts: Scripts) -> Json:
    """An extraction that waits."""
    made = await uploaded(acme.live)
    scripts.extraction = an_extraction(0.5, **VALUES)
    reply: Json = await acme.live.call("/v1/documents/extract", {"document_id": made["document_id"]})
    return reply


async def waiting(organization: Organization) -> list[str]:
    page = await organization.live.call("/v1/documents/list_extractions", {"review_status": "pending"})
    return [found["extraction_id"] for found in page["extractions"]]


async def test_what_is_right_is_approved(acme: Organization, pending: Json) -> None:
    before = await waiting(acme)

    reviewed = await acme.owner.call("/v1/documents/review", {"extraction_id": pending["extraction_id"]})

    assert before == [pending["extraction_id"]]
    assert await waiting(acme) == []
    assert (reviewed["review_status"], reviewed["corrected"]) == ("approved", None)
    assert reviewed["reviewed_by"] == f"user:{acme.owner_id}"
    assert reviewed["reviewed_at"]


async def test_what_is_wrong_is_put_right_beside_the_original(acme: Organization, pending: Json) -> None:
    corrections = [
        {"path": "issuer.nif", "value": "B98765432"},
        {"path": "line_items[0].quantity", "value": 2},
        {"path": "date", "value": "2026-04-01"},
        {"path": "total", "value": 1210},
    ]

    reviewed = await acme.live.call(
        "/v1/documents/review", {"extraction_id": pending["extraction_id"], "corrections": corrections}
    )

    assert reviewed["extracted"] == VALUES
    assert reviewed["corrected"] == {
        "total": 1210, "issuer": {"nif": "B98765432"}, "line_items": [{"quantity": 2}], "date": "2026-04-01"
    }  # fmt: skip
    assert (reviewed["review_status"], reviewed["corrections_count"]) == ("corrected", 3)


async def test_corrections_are_counted(acme: Organization, pending: Json) -> None:
    correction = {"path": "line_items[0].quantity", "value": 2}
    await acme.live.call(
        "/v1/documents/review", {"extraction_id": pending["extraction_id"], "corrections": [correction]}
    )

    figures = await acme.live.call("/v1/documents/review_figures", {})

    assert figures["types"] == [
        {
            "document_type": "invoice", "source": "text", "extractions": 1, "reviewed": 1, "corrected": 1, "pending": 0,
            "fields": [{"path": "line_items[].quantity", "corrections": 1}],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["nothing", "issuer.nothing", "line_items[7].quantity", "total.x", "a[", "issuer..nif"]
)
async def test_a_correction_must_have_a_place(acme: Organization, pending: Json, path: str) -> None:
    reply = await acme.live.post(
        "/v1/documents/review",
        {"extraction_id": pending["extraction_id"], "corrections": [{"path": path, "value": 1}]},
    )

    assert (reply.status_code, reply.json()["error"]["details"]["field"]) == (422, "corrections[0].path")
    assert await waiting(acme) == [pending["extraction_id"]]


async def test_extractions_go_with_their_document(acme: Organization, pending: Json) -> None:
    reference = {"document_id": pending["document_id"]}
    await acme.live.call("/v1/documents/delete", reference)
    while_deleted = await waiting(acme)
    await acme.live.call("/v1/documents/restore", reference)
    restored = await waiting(acme)
    await acme.live.call("/v1/documents/erase", reference)

    reply = await acme.live.post("/v1/documents/get_extraction", {"extraction_id": pending["extraction_id"]})

    assert (while_deleted, restored) == ([], [pending["extraction_id"]])
    assert reply.status_code == 404
