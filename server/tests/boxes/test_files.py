"""Files of a box: what comes in, what is shown of it."""

import pytest

from tests.boxes.arranging import a_box, add, content, files
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_a_file_that_is_added_waits_to_be_read(acme: Organization) -> None:
    box = await a_box(acme.live)

    made = await add(acme.live, box, filename="caldera.txt")

    assert made["id"].startswith("file_")
    assert (made["state"], made["progress"], made["searchable"]) == ("pending", 0, False)
    assert (made["file_name"], made["mime_type"], made["error"]) == ("caldera.txt", "text/plain", None)
    assert await files(acme.live, box) == [made]


async def test_a_file_comes_as_multipart_too(acme: Organization) -> None:
    box = await a_box(acme.live)

    reply = await acme.live.http.post(
        "/v1/boxes/files/add",
        files={"file": ("x", b"%PDF-1.4 manual")},
        data={"data": f'{{"box_id": "{box}", "filename": "manual.pdf"}}'},
        headers=acme.live.headers,
    )

    assert reply.status_code == 200, reply.text
    assert reply.json()["data"]["mime_type"] == "application/pdf"


async def test_a_document_is_shared_with_a_box(acme: Organization) -> None:
    box = await a_box(acme.live)
    document = await acme.live.call(
        "/v1/documents/upload", {"filename": "contrato.txt", "content_base64": content("Contrato")}
    )

    made = await acme.live.call("/v1/boxes/files/add", {"box_id": box, "document_id": document["document_id"]})

    assert made["document_id"] == document["document_id"]
    assert (made["file_name"], made["sha256"]) == ("contrato.txt", document["sha256"])
