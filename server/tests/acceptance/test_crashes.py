"""Everything that can die dies at random moments under load: nothing acknowledged is lost, nothing happens twice.

`BIVELIO_CHAOS_ROUNDS` multiplies operations and kills; `BIVELIO_CHAOS_SEED` chooses the moments.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx2
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, Process, all_of, client_of, free_port, until
from tests.acceptance.receiver import Receiver, receiver
from tests.world import Client

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("BIVELIO_CHAOS_ROUNDS", "1"))
SEED = int(os.environ.get("BIVELIO_CHAOS_SEED", "1"))
CONTACTS = 180 * ROUNDS
RUNS = 120 * ROUNDS
KILLS = 12 * ROUNDS
CLIENTS = 6
STEPS = ("a", "b", "c")
DEFINITION = {
    "name": "Three contacts",
    "steps": [
        {"id": "a", "uses": "contacts.create", "with": {"name": "{{ run.id }} a"}},
        {"id": "b", "uses": "contacts.create", "with": {"name": "{{ run.id }} b"}},
        {"id": "pause", "wait": {"seconds": 1}},
        {"id": "c", "uses": "contacts.create", "with": {"name": "{{ run.id }} c"}},
    ],
}


@dataclass
class Story:
    """What the clients asked for and were told. What got no reply may or may not have happened."""

    workflow_id: str
    receiver: Receiver
    contacts: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    unanswered_runs: int = 0

    @property
    def progress(self) -> int:
        """Everything that the outside has seen happen."""
        return len(self.contacts) + len(self.runs) + len(self.receiver.messages)


@dataclass
class Stage:
    """The processes of one installation, and the ways in which they die."""

    place: Installation
    server: Process
    worker: Process

    async def kill_server(self) -> None:
        self.server.kill()
        self.server = await self.place.serve(int(self.server.address.rpartition(":")[2]))

    async def kill_worker(self) -> None:
        self.worker.kill()
        self.worker = self.place.start("worker")

    async def kill_database(self) -> None:
        self.place.kill_database()
        await self.server.ready()

    async def kill_everything(self) -> None:
        self.worker.kill()
        self.place.kill_database()
        await self.kill_server()
        self.worker = self.place.start("worker")


async def test_crashes_lose_nothing_and_double_nothing(place: Installation, template: Template) -> None:
    with receiver() as (received, url):
        stage = Stage(place, await place.serve(free_port()), place.start("worker"))
        async with client_of(stage.server, template.live_key) as client:
            story = await _begin(client, received, url)
            async with anyio.create_task_group() as tasks:
                for number in range(CLIENTS):
                    tasks.start_soon(_work, client, story, number)
                tasks.start_soon(_kill_at_random, stage, story)
            await _finish(client, story)

            await _check(client, story)


async def _begin(client: Client, received: Receiver, url: str) -> Story:
    events = ["contact.created", "workflow.completed"]
    webhook = await client.call("/v1/webhooks/create", {"url": url, "events": events})
    received.secret = webhook["signing_secret"]
    workflow = await client.call("/v1/workflows/create", DEFINITION)
    return Story(workflow["id"], received)


async def _work(client: Client, story: Story, number: int) -> None:
    """This client's share: contacts and runs in turn."""
    contacts = [f"contact {n}" for n in range(CONTACTS) if n % CLIENTS == number]
    runs = [n for n in range(RUNS) if n % CLIENTS == number]
    while contacts or runs:
        if contacts:
            await _create_contact(client, story, contacts.pop())
        if runs:
            await _execute(client, story, runs.pop())


async def _create_contact(client: Client, story: Story, name: str) -> None:
    contact = await _ask(client, "/v1/contacts/create", {"name": name})
    if contact is None:
        story.unanswered.add(name)
    else:
        story.contacts.add(name)


async def _execute(client: Client, story: Story, number: int) -> None:
    run = await _ask(client, "/v1/workflows/execute", {"workflow_id": story.workflow_id, "input": {"number": number}})
    if run is None:
        story.unanswered_runs += 1
    else:
        story.runs.add(run["instance_id"])


async def _ask(client: Client, path: str, data: dict[str, Any]) -> dict[str, Any] | None:
    """The reply's data. None when the reply was lost, or told that the database is away; then it serves again."""
    try:
        reply = await client.post(path, data)
    except httpx2.TransportError:
        reply = None
    if reply is not None and reply.status_code == 200:
        answer: dict[str, Any] = reply.json()["data"]
        return answer
    if reply is not None:
        assert reply.status_code == 503, reply.text
        assert int(reply.headers["retry-after"]) > 0
    await _serving(client)
    return None


async def _serving(client: Client) -> None:
    with anyio.fail_after(60):
        while True:
            try:
                if (await client.http.get("/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await anyio.sleep(0.05)


async def _kill_at_random(stage: Stage, story: Story) -> None:
    """Moments are counted in what has happened, from the first reply until the last runs are on their way."""
    choice = random.Random(SEED)
    expected = CONTACTS + RUNS + CONTACTS + RUNS * (len(STEPS) + 1)
    kinds = [stage.kill_server, stage.kill_worker, stage.kill_database, stage.kill_everything] * KILLS
    victims = choice.sample(kinds[:KILLS], KILLS)
    for moment, kill in zip(sorted(choice.sample(range(1, int(0.8 * expected)), KILLS)), victims, strict=True):
        await until(_has_reached(story, moment), 120)
        await kill()


def _has_reached(story: Story, moment: int) -> Callable[[], bool]:
    return lambda: story.progress >= moment


async def _finish(client: Client, story: Story) -> None:
    """Every run has ended, and every event has arrived."""
    with anyio.fail_after(90):
        while True:
            counts = [
                (await client.call("/v1/workflows/instances", {"status": status}))["pagination"]["total"]
                for status in ("running", "waiting")
            ]
            if counts == [0, 0]:
                break
            await anyio.sleep(0.2)
    contacts = await all_of(client, "/v1/contacts", "contacts")
    instances = await all_of(client, "/v1/workflows/instances", "instances")
    await until(lambda: len(story.receiver.messages) >= len(contacts) + len(instances), 90)


async def _check(client: Client, story: Story) -> None:
    contacts = await all_of(client, "/v1/contacts", "contacts")
    instances = await all_of(client, "/v1/workflows/instances", "instances")
    names = Counter(contact["name"] for contact in contacts)
    by_runs = {f"{instance['instance_id']} {step}" for instance in instances for step in STEPS}
    ran = {instance["instance_id"] for instance in instances}

    assert {instance["status"] for instance in instances} == {"completed"}
    assert story.runs <= ran
    assert len(ran - story.runs) <= story.unanswered_runs
    assert set(names.values()) == {1}
    assert story.contacts | by_runs <= set(names) <= story.contacts | by_runs | story.unanswered

    created = [contact["id"] for contact in story.receiver.of("contact.created")]
    completed = [instance["instance_id"] for instance in story.receiver.of("workflow.completed")]
    assert story.receiver.complaints == []
    assert sorted(created) == sorted(contact["id"] for contact in contacts)
    assert sorted(completed) == sorted(ran)
