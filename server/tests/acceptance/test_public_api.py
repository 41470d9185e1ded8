"""The public API of boxes as its clients meet it: programs of their own, real servers, real files."""

import base64
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import anyio
import httpx2
import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, Process, client_of
from tests.world import Client

pytestmark = pytest.mark.anyio

CLIENTS = Path(__file__).parents[1] / "boxes" / "public" / "clients"
COMMANDS = {"node": ["node", str(CLIENTS / "client.mjs")], "python": [sys.executable, str(CLIENTS / "client.py")]}
LEASE = "El alquiler vence el 31 de mayo de 2027.\n\nEl arrendatario paga 950 euros al mes por la vivienda."
RECIPE = "Para la tortilla se baten seis huevos y se fríen las patatas con cebolla."
PER_KEY, PER_USER = 100, 15_000
AT_ONCE = 16
UNITS = 30
MOMENT_SECONDS = 1.0


class Box:
    """A box with two files that can be searched, and a key that opens it."""

    def __init__(self, box_id: str, files: list[str], key: str) -> None:
        self.id, self.files, self.key = box_id, files, key

    def at(self, server: Process) -> dict[str, str]:
        """What a client needs to know."""
        return {
            "BASE_URL": f"{server.address}/api/public/v1", "API_KEY": self.key, "BOX_ID": self.id,
            "FILE_IDS": json.dumps(self.files), "QUERY": "¿Cuándo termina el contrato de la casa?",
        }  # fmt: skip


async def filled(client: Client) -> Box:
    box = await client.call("/v1/boxes/create", {"name": "Clients"})
    files = []
    for name, text in (("alquiler.txt", LEASE), ("receta.txt", RECIPE)):
        content = base64.b64encode(text.encode()).decode()
        added = await client.call(
            "/v1/boxes/files/add", {"box_id": box["id"], "filename": name, "content_base64": content}
        )
        files.append(added["id"])
    with anyio.fail_after(120):
        while not await _are_ready(client, box["id"]):  # noqa: ASYNC110 - no event of ours tells of another process
            await anyio.sleep(0.05)
    return Box(box["id"], files, (await client.call("/v1/boxes/keys/create", {"name": "Clients"}))["key"])


async def _are_ready(client: Client, box_id: str) -> bool:
    files = (await client.call("/v1/boxes/files/list", {"box_id": box_id}))["files"]
    assert "failed" not in {file["state"] for file in files}, files
    return {file["state"] for file in files} == {"ready"}


async def test_both_known_clients_work_with_another_base_url(place: Installation, template: Template) -> None:
    server = await place.serve()
    async with client_of(server, template.live_key) as client:
        box = await filled(client)

        saw = {name: await ran(command, box.at(server)) for name, command in COMMANDS.items()}
        usage = await client.call("/v1/boxes/usage")

    for each in saw.values():
        assert each["message"] == "The API key works."
        assert each["units"] == 1
        assert each["best"]["fileId"] == box.files[0]
        assert (each["best"]["fileName"], each["best"]["pageFrom"], each["best"]["pageTo"]) == ("alquiler.txt", 1, 1)
        assert each["best"]["text"] in LEASE
        assert 0 < each["best"]["score"] <= 1
        assert each["passages"] == each["passages_everywhere"] >= 2
        assert each["files"] == [["alquiler.txt", 1], ["receta.txt", 1]]
        assert (each["documents"], each["pages"]) == (2, 2)
    assert usage["used"] == 4
    assert saw["node"]["errors"][0] == "API Error (B3002): Unauthorized user - API Key not found"
    assert saw["node"]["errors"][1].startswith("API Error (B3002): Unauthorized user - ")
    assert saw["node"]["errors"][2].startswith("API Error (B1004): Invalid parameters - The field 'query'")
    assert [error.partition(" Client")[0] for error in saw["python"]["errors"]] == [
        "Request failed: 401", "Request failed: 403", "Request failed: 400",
    ]  # fmt: skip


async def test_two_servers_count_a_key_and_spend_units_together(place: Installation, template: Template) -> None:
    servers = [await place.serve() for _ in range(2)]
    async with client_of(servers[0], template.live_key) as client:
        box = await filled(client)
        other = (await client.call("/v1/boxes/keys/create", {"name": "Other"}))["key"]
        with psycopg.connect(place.database(), autocommit=True) as database:
            database.execute("update organizations set monthly_units = %s", (UNITS,))

        checks = await at_once(servers, 2 * PER_KEY, "GET", "check", other)
        searches = await at_once(
            servers, PER_KEY, "POST", f"boxes/{box.id}/retrieve-documents", box.key, {"query": "contrato"}
        )
        usage = await client.call("/v1/boxes/usage")

    assert Counter(reply.status_code for reply in checks) == {200: PER_KEY, 429: PER_KEY}
    hits = [int(reply.headers["x-ratelimit-hits"]) for reply in checks if reply.status_code == 200]
    assert sorted(hits) == list(range(1, PER_KEY + 1))
    assert Counter(reply.status_code for reply in searches) == {200: UNITS, 402: PER_KEY - UNITS}
    assert (usage["used"], usage["remaining"]) == (UNITS, 0)


async def test_the_users_day_survives_a_crash_of_the_database(place: Installation, template: Template) -> None:
    server = await place.serve()
    async with client_of(server, template.live_key) as client:
        key = (await client.call("/v1/boxes/keys/create", {"name": "Lasting"}))["key"]
    await at_once([server], 20, "GET", "check", key)
    await anyio.sleep(MOMENT_SECONDS)

    place.kill_database()
    await server.ready()
    [reply] = await at_once([server], 1, "GET", "check", key)

    assert reply.status_code == 200
    assert int(reply.headers["x-ratelimit-remaining-user"]) == PER_USER - 21


async def at_once(
    servers: list[Process], times: int, method: str, path: str, key: str, body: dict[str, Any] | None = None
) -> list[httpx2.Response]:
    """The replies to a request that is sent so many times, to all servers alike, `AT_ONCE` of them at any moment."""
    replies: list[httpx2.Response] = []
    places = anyio.Semaphore(AT_ONCE)

    async def ask(http: httpx2.AsyncClient, server: Process) -> None:
        async with places:
            url = f"{server.address}/api/public/v1/{path}"
            replies.append(await http.request(method, url, json=body, headers={"Authorization": f"Bearer {key}"}))

    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http, anyio.create_task_group() as tasks:
        for number in range(times):
            tasks.start_soon(ask, http, servers[number % len(servers)])
    return replies


async def ran(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    done = await anyio.run_process(command, env={"PATH": os.environ["PATH"], **environment}, check=False)
    assert done.returncode == 0, done.stderr.decode()
    saw: dict[str, Any] = json.loads(done.stdout)
    return saw
