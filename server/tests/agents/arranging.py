"""What the tests of agents share."""

from typing import Any

import httpx2
import psycopg

from tests.scripted import SCRIPTS, Scripted, Turn
from tests.world import Client, Organization

Json = dict[str, Any]
CLASSIFIER = "ag_classifier_01"


def scripted(organization: Organization, *turns: Turn, **fields: Any) -> Scripted:
    """The organisation's model from now on."""
    ai = Scripted([*turns], **fields)
    SCRIPTS.give(organization.id, ai)
    return ai


async def agent(client: Client, *tools: str | Json, **fields: Any) -> Json:
    """A fresh agent that follows instructions and may use these tools."""
    granted = [{"operation": tool} if isinstance(tool, str) else tool for tool in tools]
    given = {"name": "Ayudante", "instructions": "Help with contacts.", "tools": granted, **fields}
    made: Json = await client.call("/v1/agents/create", given)
    return made


async def invoke(client: Client, agent_id: str, text: str = "Hola", **fields: Any) -> Json:
    """An invocation that must succeed; `fields` belong to the input."""
    found: Json = await client.call("/v1/agents/invoke", {"agent_id": agent_id, "input": {"text": text, **fields}})
    return found


async def refused(client: Client, agent_id: str, text: str = "Hola", **fields: Any) -> httpx2.Response:
    reply = await client.post("/v1/agents/invoke", {"agent_id": agent_id, "input": {"text": text, **fields}})
    assert reply.status_code != 200, reply.text
    return reply


async def execution(client: Client, made: Json) -> Json:
    """With its trace."""
    found: Json = await client.call("/v1/agents/get_execution", {"execution_id": made["execution_id"]})
    return found


async def executions(client: Client, **filters: Any) -> list[Json]:
    page = await client.call("/v1/agents/list_executions", filters)
    found: list[Json] = page["executions"]
    return found


async def credits_used(client: Client) -> tuple[int, int]:
    """Used and reserved."""
    found = await client.call("/v1/usage/credits")
    return found["used"], found["reserved"]


async def names_of_contacts(client: Client) -> list[str]:
    page = await client.call("/v1/contacts", {"sort": "created_at", "per_page": 100})
    return [found["name"] for found in page["contacts"]]


def kinds(trace: list[Json]) -> list[str]:
    return [entry["kind"] for entry in trace]


def tools_used(trace: list[Json]) -> list[tuple[str, str]]:
    """Operation and what became of it."""
    return [(e["detail"]["operation"], e["detail"]["status"]) for e in trace if e["kind"] == "tool"]


def code_of(reply: httpx2.Response) -> tuple[int, Any]:
    return reply.status_code, reply.json().get("error", {}).get("code")


def audited(database: psycopg.Connection, organization: Organization, operation: str) -> list[tuple[Any, ...]]:
    """Who did it, on whose behalf, through which door, because of what."""
    return database.execute(
        "select actor, on_behalf_of, door, cause from audit_log where org_id = %s and operation = %s order by at, id",
        (organization.id, operation),
    ).fetchall()
