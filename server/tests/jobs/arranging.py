"""What the tests of jobs share."""

import asyncio
import base64
import time
from typing import Any
from urllib.parse import urlsplit

import httpx2

from tests.world import Client

Json = dict[str, Any]
ENDED = ("completed", "failed", "cancelled")


async def started(client: Client, path: str, data: Json) -> str:
    """The id of a job just queued."""
    return str((await client.call(path, data))["job_id"])


async def job(client: Client, job_id: str) -> Json:
    found: Json = await client.call("/v1/jobs/get", {"id": job_id})
    return found


async def ended(client: Client, job_id: str, seconds: float = 30) -> Json:
    """The job once it has ended."""
    deadline = time.monotonic() + seconds
    while (found := await job(client, job_id))["status"] not in ENDED:
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.02)
    return found


async def done(client: Client, path: str, data: Json) -> Json:
    """The job, which must complete."""
    found = await ended(client, await started(client, path, data))
    assert found["status"] == "completed", found
    return found


def csv_file(*lines: str, encoding: str = "utf-8") -> Json:
    """The input of an import of these lines."""
    return {"content_base64": base64.b64encode("\r\n".join(lines).encode(encoding)).decode()}


async def imported(client: Client, *lines: str, **options: Any) -> Json:
    return await done(client, "/v1/contacts/import", {**csv_file(*lines), **options})


async def contacts(client: Client, **filters: Any) -> list[Json]:
    """Oldest first; those of one import in any order."""
    page = await client.call("/v1/contacts", {"per_page": 100, "sort": "name", **filters})
    found: list[Json] = page["contacts"]
    return found


async def downloaded(client: Client, found: Json) -> httpx2.Response:
    """What the address in the job's result gives, without any credential."""
    return await client.http.get(urlsplit(found["result"]["url"]).path)


def errors_of(found: Json) -> list[tuple[Any, Any, Any]]:
    return [(error["row"], error["field"], error["code"]) for error in found["errors"]]
