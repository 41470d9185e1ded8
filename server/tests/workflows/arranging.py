"""What the tests of workflows share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import psycopg

from bivelio_server.durable.tasks import TOPIC
from bivelio_server.kit import json
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.world import Client, Organization

Json = dict[str, Any]
#: A step that works without any right but those of workflows.
HELLO: Json = {"id": "hello", "set": {"text": "Hola {{ input.name }}"}}
ENDED = ("completed", "failed", "cancelled")


def create_contact(step_id: str = "contact", **fields: Any) -> Json:
    """A step that creates a contact."""
    return {"id": step_id, "uses": "contacts.create", "with": {"name": "Maria Garcia", **fields}}


def on(event: str) -> Json:
    return {"trigger": {"type": "event", "event": event}}


async def workflow(client: Client, *steps: Json, **fields: Any) -> Json:
    """A fresh workflow with these steps, active unless `fields` say otherwise."""
    made: Json = await client.call("/v1/workflows/create", {"name": "Onboarding", "steps": list(steps), **fields})
    return made


async def started(client: Client, made: Json, **input_: Any) -> Json:
    """A run just queued."""
    run: Json = await client.call("/v1/workflows/execute", {"workflow_id": made["id"], "input": input_})
    return run


async def run(client: Client, made: Json, **input_: Any) -> Json:
    """A run to its end, with its steps; the input comes as keywords."""
    reply = await client.call("/v1/workflows/execute", {"workflow_id": made["id"], "input": input_, "async": False})
    assert reply["status"] in ENDED
    return await instance(client, reply)


async def exact(client: Client, path: str, data: Json) -> Any:
    """The reply's `data`, with Decimals both ways."""
    reply = await client.http.post(
        path, content=json.dumps({"data": data}), headers={**client.headers, "Content-Type": "application/json"}
    )
    assert reply.status_code == 200, reply.text
    return json.loads(reply.content)["data"]


async def instance(client: Client, run_: Json) -> Json:
    """The run as it is now, with its steps."""
    found: Json = await client.call("/v1/workflows/get_instance", {"instance_id": run_["instance_id"]})
    return found


async def instances(client: Client, **filters: Any) -> list[Json]:
    page = await client.call("/v1/workflows/instances", filters)
    found: list[Json] = page["instances"]
    return found


async def ended(client: Client, run_: Json, status: str = "completed") -> Json:
    """The run once it has ended, which must be with `status`."""
    found = await reached(client, run_, *ENDED)
    assert found["status"] == status, found
    return found


async def reached(client: Client, run_: Json, *statuses: str) -> Json:
    found: Json = {}

    async def is_there() -> bool:
        nonlocal found
        found = await instance(client, run_)
        return found["status"] in statuses

    await until(is_there)
    return found


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for what the worker brings about."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


async def reacted(organization: Organization, database: psycopg.Connection) -> None:
    """Wait until the worker has seen to every event of the organisation."""

    async def is_done() -> bool:
        [(left,)] = database.execute(
            "select count(*) from absurd.t_work where task_name = 'workflows.react' and headers ->> 'org_id' = %s"
            " and state not in ('completed', 'cancelled')",
            (str(organization.id),),
        ).fetchall()
        return bool(left == 0)

    await until(is_done)


def later(services: Services, clock: MovableClock, **by: float) -> None:
    """Move the clock, and let the workers look for what is due by then."""
    clock.advance(**by)
    services.wakeups.wake(TOPIC)


def step_of(run_: Json, step_id: str) -> Json:
    found: Json = next(step for step in run_["steps"] if step["step_id"] == step_id)
    return found


def problems(reply: httpx2.Response) -> list[tuple[str, str]]:
    """Field and constraint of every problem that a refused definition has."""
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "VALIDATION_ERROR"), reply.text
    return [(found["field"], found["constraint"]) for found in reply.json()["error"]["details"]["errors"]]


def code_of(reply: httpx2.Response) -> tuple[int, Any]:
    return reply.status_code, reply.json().get("error", {}).get("code")


def events_of(database: psycopg.Connection, organization: Organization, name: str) -> list[Json]:
    """The recorded events of that name, oldest first: data, origin, depth."""
    rows = database.execute(
        "select data, origin, depth from events where org_id = %s and event = %s order by occurred_at, id",
        (organization.id, name),
    )
    return [{"data": data, "origin": origin, "depth": depth} for data, origin, depth in rows]


async def contact_names(client: Client) -> list[str]:
    """Oldest first."""
    page = await client.call("/v1/contacts", {"sort": "created_at", "per_page": 100})
    return [found["name"] for found in page["contacts"]]
