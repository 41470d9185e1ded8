"""A worker that dies at any one durable point of a run: what the run does is done once all the same."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import psycopg
import pytest

from bivelio_server.app import FEATURES, create_app
from bivelio_server.durable import MAX_LOST
from bivelio_server.installation import Installation
from bivelio_server.kit.context import Services
from bivelio_server.kit.operations import Catalogue
from tests.workflows import mortal
from tests.workflows.arranging import Json, contact_names, create_contact, instance, started, workflow
from tests.workflows.couriers import Courier
from tests.workflows.processes import SERVER
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

POINTS_AT_LEAST = 25


def contact(step_id: str, name: str = "") -> Json:
    return create_contact(step_id, name=name or step_id)


def send(step_id: str) -> Json:
    return {**Courier.STEP, "id": step_id}


REPRESENTATIVE: list[Json] = [
    {"id": "named", "set": {"is_known": "{{ input.to == 'Ana' }}"}},
    contact("first"),
    send("parcel"),
    {"id": "pause", "wait": {"seconds": 3600}},
    {"id": "known", "if": "{{ steps.named.output.is_known }}", "then": [contact("second")], "else": [contact("not")]},
    {"id": "both", "parallel": {"left": [contact("left"), {"id": "rest", "wait": {"seconds": 60}}],
                                "right": [send("other"), contact("right")]}},
    {"id": "each", "for_each": "{{ ['a', 'b'] }}", "steps": [contact("made", "{{ 'item ' + item }}")],
     "concurrency": 2},
    {"id": "bad", "set": {"value": "{{ 1 / 0 }}"}, "on_error": [contact("handled")]},
]  # fmt: skip
EFFECTS = ["first", "handled", "item a", "item b", "left", "right", "second", *["prepared", "recorded"] * 2]


@dataclass
class Mortals:
    process: subprocess.Popen[str]
    calls: Path

    async def live(self, dies_at: int) -> str:
        """Runs one worker to its death, or until a run ends; which of both."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{dies_at}\n")
        self.process.stdin.flush()
        return (await asyncio.to_thread(self.process.stdout.readline)).strip()


@pytest.fixture
def mortals(installation: Installation, alone: None, tmp_path: Path) -> Iterator[Mortals]:
    assert installation.settings.secret_key is not None
    calls = tmp_path / "calls"
    environment = os.environ | {
        mortal.DATABASE: installation.owner_url,
        mortal.SECRET: installation.settings.secret_key.get_secret_value(),
        mortal.CALLS: str(calls),
        "PYTHONPATH": str(SERVER),
    }
    command = [sys.executable, "-m", mortal.__name__]
    with subprocess.Popen(
        command, cwd=SERVER, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield Mortals(process, calls)


@pytest.fixture
async def client(services: Services, installation: Installation, acme: Organization) -> AsyncIterator[Client]:
    depot = replace(services, catalogue=Catalogue((*FEATURES, Courier().feature())))
    transport = httpx2.ASGITransport(app=create_app(depot, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as http:
        yield Client(http, acme.live.headers)


async def test_whatever_is_interrupted_is_done_once(
    client: Client, acme: Organization, owner: psycopg.Connection, mortals: Mortals
) -> None:
    made = await workflow(client, *REPRESENTATIVE)
    for point in range(1, 200):
        run = await started(client, made, to="Ana")
        how = await mortals.live(point)
        if how == "killed":
            await _survive(client, run, owner, mortals)
        found = await instance(client, run)

        assert found["status"] == "completed", (point, found)
        effects = Counter(await contact_names(client))
        assert effects == Counter(EFFECTS), point
        keys = Counter(mortals.calls.read_text().split())
        assert set(keys) == {f"{run['instance_id']}:parcel", f"{run['instance_id']}:other"}, point
        assert sum(keys.values()) <= 3, (point, "only the call that was broken off is repeated")
        if how == "ended":
            break
        _forget(owner, acme, mortals)

    assert point > POINTS_AT_LEAST


async def test_a_step_that_kills_its_worker_again_and_again_fails(
    client: Client, owner: psycopg.Connection, mortals: Mortals
) -> None:
    steps = [{"id": "named", "set": {"who": "Ana"}}, {"id": "again", "set": {"who": "Eva"}}, send("deadly")]
    made = await workflow(client, contact("before"), *steps, contact("after"), on_error=[contact("handled")])
    run = await started(client, made, to="Ana")

    lives = ["killed"]
    while lives[-1] == "killed":
        lives.append(await mortals.live(-1))
        _end_leases(owner)
    found = await instance(client, run)

    assert len(lives) <= MAX_LOST + 3, lives
    assert (found["status"], found["error"]["path"]) == ("failed", "deadly")
    assert "memory" in found["error"]["message_en"]
    assert sorted(await contact_names(client)) == ["before", "failed IntegrationFailed", "handled", "prepared"]


def _end_leases(owner: psycopg.Connection) -> None:
    owner.execute("update absurd.r_work set claim_expires_at = now() where state = 'running'")


async def _survive(client: Client, run: Json, owner: psycopg.Connection, mortals: Mortals) -> None:
    """Another worker takes over what the dead one left, if it did."""
    _end_leases(owner)
    if (await instance(client, run))["finished_at"] is None:
        assert await mortals.live(0) == "ended"


def _forget(owner: psycopg.Connection, organization: Organization, mortals: Mortals) -> None:
    owner.execute("delete from contacts where org_id = %s", (organization.id,))
    mortals.calls.unlink()
