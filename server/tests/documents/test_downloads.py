"""Addresses of documents: for a while, for whoever has them, whole or in parts, and never as a page of ours."""

import httpx2
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.documents.arranging import document, fetched, uploaded
from tests.storage.arranging import files_of
from tests.world import Organization

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 2000


async def test_whoever_has_the_address_gets_the_file(acme: Organization, http: httpx2.AsyncClient) -> None:
    made = await uploaded(acme.live, CONTENT, "año 2026.bin")

    reply = await fetched(http, made["url"])

    assert (reply.status_code, reply.content) == (200, CONTENT)
    assert reply.headers["content-disposition"].startswith("attachment; ")
    assert reply.headers["accept-ranges"] == "bytes"
    assert reply.headers["etag"] == f'"{made["sha256"]}"'


@pytest.mark.parametrize("text", ["<html><script>alert(1)</script>", '<svg xmlns="x" onload="alert(1)"/>'])
async def test_nothing_in_it_runs_as_a_page_of_ours(acme: Organization, http: httpx2.AsyncClient, text: str) -> None:
    made = await uploaded(acme.live, text, 'x".html')

    headers = (await fetched(http, made["url"])).headers

    assert headers["content-disposition"].startswith('attachment; filename="x_.html"')
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["cache-control"] == "private, no-store"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=300000-400009", 300_000, 400_010),
        ("bytes=511990-", 511_990, 512_000),
        ("bytes=511990-999999999", 511_990, 512_000),
        ("bytes=-10", 511_990, 512_000),
        ("bytes=-999999999", 0, 512_000),
    ],
)
async def test_a_part_of_it(acme: Organization, http: httpx2.AsyncClient, asked: str, start: int, end: int) -> None:
    made = await uploaded(acme.live, CONTENT)

    reply = await fetched(http, made["url"], Range=asked)

    assert reply.content == CONTENT[start:end]
    if end - start < len(CONTENT):
        assert reply.status_code == 206
        assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/512000"


@pytest.mark.parametrize("asked", ["bytes=1-2,4-5", "lines=1-2", "bytes=-", "bytes=9-1", "nonsense"])
async def test_what_is_no_single_part_is_answered_with_the_whole(
    acme: Organization, http: httpx2.AsyncClient, asked: str
) -> None:
    reply = await fetched(http, (await uploaded(acme.live, CONTENT))["url"], Range=asked)

    assert (reply.status_code, len(reply.content)) == (200, 512_000)


@pytest.mark.parametrize("asked", ["bytes=512000-", "bytes=-0"])
async def test_there_is_no_part_beyond_its_end(acme: Organization, http: httpx2.AsyncClient, asked: str) -> None:
    reply = await fetched(http, (await uploaded(acme.live, CONTENT))["url"], Range=asked)

    assert (reply.status_code, reply.headers["content-range"]) == (416, "bytes */512000")


async def test_a_part_of_another_version_is_not_sent(acme: Organization, http: httpx2.AsyncClient) -> None:
    made = await uploaded(acme.live, CONTENT)

    reply = await fetched(http, made["url"], **{"Range": "bytes=0-9", "If-Range": '"another"'})

    assert reply.status_code == 200


async def test_an_address_that_is_not_good_is_a_404(
    acme: Organization, http: httpx2.AsyncClient, clock: MovableClock, services: Services
) -> None:
    made = await uploaded(acme.live)
    clock.advance(minutes=61)
    expired = await fetched(http, made["url"])
    made = await document(acme.live, made)
    altered = await fetched(http, made["url"][:-1] + ("A" if made["url"][-1] != "A" else "B"))
    fresh = await fetched(http, made["url"])
    await acme.live.call("/v1/documents/delete", {"document_id": made["document_id"]})
    deleted = await fetched(http, made["url"])
    other = await uploaded(acme.live)
    await services.storage.delete_prefix(f"{acme.id}/")
    lost = await fetched(http, other["url"])

    assert fresh.status_code == 200
    assert [reply.status_code for reply in (expired, altered, deleted, lost)] == [404] * 4
    assert await files_of(services, acme) == []
