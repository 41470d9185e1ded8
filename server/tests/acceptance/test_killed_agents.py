"""Executions of agents whose server is killed: failed, and free of charge, once somebody looks after what was left."""

import asyncio
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of, free_port, until
from tests.world import Client

pytestmark = pytest.mark.anyio

AGENT = {"name": "Ayudante", "instructions": "Help."}


async def test_an_execution_whose_server_is_killed_fails_and_is_refunded(
    place: Installation, template: Template
) -> None:
    asked = asyncio.Event()

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        while await reader.read(1000):
            pass
        writer.close()

    provider = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{provider.sockets[0].getsockname()[1]}/v1"
    configured = {"BIVELIO_OPENAI_URL": url, "BIVELIO_AI_MODEL": "silent"}
    server = await place.serve(port := free_port(), **configured)
    async with provider, client_of(server, template.live_key) as client:
        made = await client.call("/v1/agents/create", AGENT)
        asking = asyncio.create_task(_invoke(client, made["id"]))
        await asyncio.wait_for(asked.wait(), 30)
        assert await _state(client) == ("running", 1)

        server.kill()
        await asyncio.gather(asking, return_exceptions=True)
        with psycopg.connect(place.database(), autocommit=True) as database:
            _let_time_pass(database)
        await place.serve(port, **configured)

        await until(lambda: _ended(place), 30)
        assert await _state(client) == ("failed", 0)
        assert (await client.call("/v1/usage/credits"))["used"] == 0


async def _invoke(client: Client, agent_id: str) -> Any:
    return await client.call("/v1/agents/invoke", {"agent_id": agent_id, "input": {"text": "Hola"}})


async def _state(client: Client) -> tuple[str, int]:
    """What the execution has come to, and the credits reserved."""
    [found] = (await client.call("/v1/agents/list_executions"))["executions"]
    return found["status"], (await client.call("/v1/usage/credits"))["reserved"]


def _let_time_pass(database: psycopg.Connection) -> None:
    """As if the server had been away for twenty minutes."""
    database.execute("update agent_executions set started_at = started_at - interval '20 minutes'")
    database.execute("update credit_entries set lease_until = lease_until - interval '20 minutes'")
    database.execute("update chores set due_at = due_at - interval '20 minutes', busy_until = null")


def _ended(place: Installation) -> bool:
    with psycopg.connect(place.database(), autocommit=True) as database:
        left = database.execute(
            "select (select count(*) from agent_executions where status = 'running')"
            " + (select count(*) from credit_entries where state = 'reserved')"
        ).fetchone()
    return left == (0,)
