"""A file in a request: in JSON, or as multipart/form-data."""

import base64
import json
from typing import Any

import pytest

from bivelio_server.app import openapi_document
from bivelio_server.kit.context import Services
from tests.jobs.arranging import contacts, ended
from tests.world import Organization

pytestmark = pytest.mark.anyio

CSV = b"name,email\r\nMaria,maria@ejemplo.com\r\n"
MEBIBYTE = 1_048_576


async def posted(acme: Organization, files: Any, headers: dict[str, str] | None = None, **fields: str) -> Any:
    return await acme.live.http.post(
        "/v1/contacts/import", files=files, data=fields, headers={**acme.live.headers, **(headers or {})}
    )


@pytest.mark.usefixtures("worker")
async def test_a_file_can_come_as_a_part(acme: Organization) -> None:
    reply = await posted(
        acme, {"file": ("contactos.csv", CSV, "text/csv")}, action="import", data=json.dumps({"tags": ["web"]})
    )

    assert reply.status_code == 200, reply.text
    assert (await ended(acme.live, reply.json()["data"]["job_id"]))["status"] == "completed"
    assert [(made["name"], made["tags"]) for made in await contacts(acme.live)] == [("Maria", ["web"])]


async def test_the_same_upload_with_the_same_key_is_one_job(acme: Organization) -> None:
    key = {"Idempotency-Key": "upload-1"}
    first = await posted(acme, {"file": ("a.csv", CSV)}, key)
    again = await posted(acme, {"file": ("b.csv", CSV)}, key)
    as_json = await acme.live.http.post(
        "/v1/contacts/import", json={"data": {"content_base64": base64.b64encode(CSV).decode()}},
        headers={**acme.live.headers, **key},
    )  # fmt: skip
    other = await posted(acme, {"file": ("a.csv", CSV + b"Juan,j@e.com")}, key)

    assert first.json() == again.json() == as_json.json()
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("files", "fields", "field", "constraint"),
    [
        ({"file": ("a.csv", CSV)}, {"data": '{"content_base64": "eA=="}'}, "content_base64", "one_of"),
        ({"file": ("a.csv", CSV)}, {"data": "{"}, "data", "json"),
        ({"file": ("a.csv", CSV)}, {"data": "[]"}, "data", "object"),
        ({"file": ("a.csv", CSV)}, {"data": '{"nada": 1}'}, "nada", "unknown_field"),
        ({"file": ("a.csv", CSV)}, {"other": "x"}, "other", "unknown_field"),
        ({"file": ("a.csv", CSV)}, {"action": "export"}, "action", "one_of"),
        ({"file": (None, "no file name, so a field")}, {}, "file", "required"),
        ({"data": (None, "{}")}, {}, "file", "required"),
        ([("file", ("a.csv", CSV)), ("file", ("b.csv", CSV))], {}, "body", "multipart"),
        ([("file", ("a.csv", CSV)), ("x", ("b.csv", CSV)), ("y", ("c.csv", CSV))], {}, "body", "multipart"),
        ({"file": ("a.csv", CSV)}, {"data": json.dumps({"tags": ["x" * 1_100_000]})}, "body", "multipart"),
    ],
)
async def test_says_what_is_wrong_with_the_parts(
    acme: Organization, files: Any, fields: dict[str, str], field: str, constraint: str
) -> None:
    reply = await posted(acme, files, **fields)

    assert reply.status_code == 400, reply.text
    details = reply.json()["error"]["details"]
    assert (details["field"], details["constraint"]) == (field, constraint)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\n", "multipart/form-data"),
        (b"--x\r\n", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\n" + b"A: b\r\n" * 50_000 + b"\r\n--x--", "multipart/form-data; boundary=x"),
        (b"--" + b"x" * 5000, "multipart/form-data; boundary=" + "x" * 5000),
    ],
)
async def test_broken_multipart_is_a_400(acme: Organization, body: bytes, content_type: str) -> None:
    reply = await acme.live.http.post(
        "/v1/contacts/import", content=body, headers={**acme.live.headers, "Content-Type": content_type}
    )

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), reply.text


async def test_elsewhere_multipart_is_a_415(acme: Organization) -> None:
    reply = await acme.live.http.post("/v1/contacts/create", files={"file": ("a", CSV)}, headers=acme.live.headers)

    assert reply.status_code == 415


async def test_a_file_too_large_is_a_413(acme: Organization) -> None:
    content = b"name,email\n" + b"x" * (32 * MEBIBYTE)

    as_part = await posted(acme, {"file": ("a.csv", content)})
    larger = await posted(acme, {"file": ("a.csv", content + b"x" * 14 * MEBIBYTE)})

    assert (as_part.status_code, larger.status_code) == (413, 413)


async def test_more_rows_than_may_be_are_refused(acme: Organization) -> None:
    reply = await posted(acme, {"file": ("a.csv", b"name,email\n" + b"Maria,\n" * 100_001)})

    assert (reply.status_code, reply.json()["error"]["details"]["constraint"]) == (400, "max_items")


def test_the_document_describes_both(services: Services) -> None:
    document = openapi_document(services.catalogue, "/")

    content = document["paths"]["/v1/contacts/import"]["post"]["requestBody"]["content"]
    assert set(content) == {"application/json", "multipart/form-data"}
    assert content["multipart/form-data"]["schema"]["required"] == ["file"]
    assert set(document["paths"]["/v1/contacts/create"]["post"]["requestBody"]["content"]) == {"application/json"}
