"""Ten thousand questions, most by keys that may not ask them: by role, box, organisation, environment and source. No
passage of somebody else's ever comes back, and all refusals are one and the same."""

import asyncio
import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import httpx2
import pytest

from bivelio_server.boxes.public import admission
from tests.boxes.public.arranging import Asker, Scripted, asker, make_box
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

PROBES = 10_000
AT_ONCE = 8
ROUNDS = 100
ENVIRONMENTS = ("live", "sandbox")
ROLES = ("viewer", "editor", "admin", "owner")
MAY = ("admin", "owner")
INVENTED = ("box_01h0000000000000000000000z", "box_", "..", "nada", "box_01h' or '1'='1", "BOX", "file_1", "%00")


@dataclass(frozen=True)
class Holder:
    """A key, and the boxes that it opens."""

    asker: Asker
    opens: frozenset[str]


@dataclass(frozen=True)
class Crowd:
    """Keys of all kinds of people, and boxes of all organisations; each box holds passages that name it."""

    holders: list[Holder]
    boxes: list[str]


@pytest.fixture
def crowd(world: World, scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> Crowd:
    for name in ("PER_MINUTE", "PER_DAY"):
        monkeypatch.setattr(admission, name, 1_000_000)
    organizations = [world.organization(name) for name in ("Acme", "Rival", "Third")]
    holders, boxes = [], []
    for organization in organizations:
        for environment in ENVIRONMENTS:
            found, made = _inhabited(organization, environment)
            holders += found
            boxes += made
    for box in boxes:
        scripted.passages[box] = [f"Secreto de {box}: {number}" for number in range(3)]
    return Crowd(holders, boxes)


def _inhabited(organization: Organization, environment: str) -> tuple[list[Holder], list[str]]:
    """People of each role in the organisation and each role in one of three boxes; a fourth box is the owner's own."""
    people = {role: organization.member(role) for role in ("viewer", "editor", "admin")}
    people["owner"] = organization.owner_id
    chance = random.Random(f"{environment}")
    memberships = [
        dict(zip(chance.sample(ROLES, len(people)), people.values(), strict=True)) for _ in range(3)
    ]  # fmt: skip
    memberships.append({"owner": people["owner"]})
    boxes = [make_box(organization, environment, **members) for members in memberships]
    holders = [
        Holder(asker(organization, person, environment), _opened(person, boxes, memberships))
        for person in people.values()
    ]
    return holders, boxes


def _opened(person: UUID, boxes: list[str], memberships: list[dict[str, UUID]]) -> frozenset[str]:
    return frozenset(
        box for box, members in zip(boxes, memberships, strict=True) if any(members.get(role) == person for role in MAY)
    )


async def test_ten_thousand_probes_find_nothing_of_somebody_elses(crowd: Crowd) -> None:
    chance = random.Random(6)
    statuses: Counter[int] = Counter()
    refusals: set[bytes] = set()
    foreign: list[str] = []
    places = asyncio.Semaphore(AT_ONCE)

    async def probe(holder: Holder, box: str, sources: list[str], reads: bool) -> None:
        async with places:
            reply = await (
                holder.asker.read(box, *sources) if reads else holder.asker.retrieve(box, sources=sources or None)
            )
        statuses[reply.status_code] += 1
        if reply.status_code == 403:
            refusals.add(reply.content)
        if (reply.status_code == 200) != (box in holder.opens) or _names_another(reply, crowd.boxes, holder.opens):
            foreign.append(f"{box} {reply.status_code} {reply.text}")

    probes = []
    for _ in range(PROBES):
        box = chance.choice(crowd.boxes) if chance.random() < 0.9 else chance.choice(INVENTED)
        reads = chance.random() < 0.3
        sources = (
            [f"file_{other[4:]}" for other in chance.sample(crowd.boxes, 3)] if reads or chance.random() < 0.5 else []
        )
        probes.append(probe(chance.choice(crowd.holders), box, sources, reads))
    await asyncio.gather(*probes)

    assert foreign == []
    assert statuses.total() == PROBES
    assert set(statuses) <= {200, 403, 404}
    assert statuses[200] > PROBES / 30
    assert len(refusals) == 1


def _names_another(reply: httpx2.Response, boxes: list[str], opened: frozenset[str]) -> bool:
    return reply.status_code == 200 and any(f"Secreto de {box}" in reply.text for box in set(boxes) - opened)


async def test_a_refusal_takes_as_long_whatever_is_behind_it(
    acme: Organization, rival: Organization, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "PER_MINUTE", 1_000_000)
    person = acme.member("viewer")
    closed = {
        "absent": INVENTED[0],
        "foreign": make_box(rival),
        "not a member": make_box(acme),
        "too small a role": make_box(acme, owner=acme.owner_id, editor=person),
    }
    key = asker(acme, person)
    seconds: dict[str, list[float]] = {name: [] for name in closed}

    for _ in range(ROUNDS):
        for name, box in closed.items():
            began = time.perf_counter()
            assert (await key.retrieve(box)).status_code == 403
            seconds[name].append(time.perf_counter() - began)

    medians = [statistics.median(times) for times in seconds.values()]
    assert max(medians) < 1.5 * min(medians), seconds.keys()
