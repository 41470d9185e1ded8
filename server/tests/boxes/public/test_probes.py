"""Ten thousand questions, most by keys that may not ask them: by role, box, organisation, environment and source. No
passage of somebody else's ever comes back, and all refusals are one and the same."""

import asyncio
import random
import re
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

import httpx2
import pytest

from bivelio_server.boxes.public import admission
from tests.boxes.public.arranging import Asker, asker, make_box
from tests.boxes.stocking import WordsModel, a_box
from tests.scripted import SCRIPTS
from tests.world import Organization, World

pytestmark = pytest.mark.anyio

PROBES = 10_000
AT_ONCE = 8
ROUNDS = 100
ENVIRONMENTS = ("live", "sandbox")
ROLES = ("viewer", "editor", "admin", "owner")
MAY = ("admin", "owner")
INVENTED = (
    "box_01h0000000000000000000000z",
    "box_",
    "nada",
    "box_01h' or '1'='1",
    "BOX",
    "file_1",
    "%00",
    "é",
    "a" * 300,
)


@dataclass(frozen=True)
class Holder:
    """A key, and the boxes that it opens."""

    asker: Asker
    opens: frozenset[str]


@dataclass(frozen=True)
class Crowd:
    """Keys of all kinds of people, and the boxes of all organisations with the file in each, whose passages name it."""

    holders: list[Holder]
    files: dict[str, str]


@pytest.fixture
def crowd(world: World, unlimited: None) -> Crowd:
    crowd = Crowd([], {})
    for name in ("Acme", "Rival", "Third"):
        organization = world.organization(name)
        SCRIPTS.give(organization.id, WordsModel())
        for environment in ENVIRONMENTS:
            _inhabit(crowd, organization, environment)
    return crowd


@pytest.fixture
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PER_MINUTE", "PER_DAY"):
        monkeypatch.setattr(admission, name, 1_000_000)


def _inhabit(crowd: Crowd, organization: Organization, environment: str) -> None:
    """People of each role in the organisation and of each role in three boxes; a fourth box is the owner's own."""
    people = [organization.owner_id, *(organization.member(role) for role in ("viewer", "editor", "admin"))]
    opened: dict[UUID, set[str]] = {person: set() for person in people}
    for turn in range(4):
        box = a_box(organization, environment)
        file_id = box.add("Secreto.pdf", *(f"caldera {box.id} {number}" for number in range(3)))
        opened[people[0]].add(box.id)
        for place, person in enumerate(people[1:] if turn < 3 else []):
            role = ROLES[(turn + place) % len(ROLES)]
            box.member(person, role)
            if role in MAY:
                opened[person].add(box.id)
        crowd.files[box.id] = file_id
    crowd.holders.extend(
        Holder(asker(organization, person, environment), frozenset(boxes)) for person, boxes in opened.items()
    )


async def test_ten_thousand_probes_find_nothing_of_somebody_elses(crowd: Crowd) -> None:
    chance, places = random.Random(6), asyncio.Semaphore(AT_ONCE)
    statuses: Counter[int] = Counter()
    refusals: set[bytes] = set()
    wrong: list[str] = []

    async def probe(holder: Holder, box: str, sources: list[str], reads: bool) -> None:
        async with places:
            reply = await (
                holder.asker.read(box, *sources)
                if reads
                else holder.asker.retrieve(box, "caldera", **({"sources": sources} if sources else {}))
            )
        statuses[reply.status_code] += 1
        if reply.status_code == 403:
            refusals.add(reply.content)
        is_open = box in holder.opens
        expected = (not sources or crowd.files[box] in sources) if is_open else False
        if (reply.status_code == 200) != is_open or told(reply) != ({box} if expected else set()):
            wrong.append(f"{box} {sources} {reply.status_code} {reply.text}")

    def any_sources() -> list[str]:
        return chance.sample(list(crowd.files.values()), chance.randint(1, 6))

    probes = []
    for _ in range(PROBES):
        reads = chance.random() < 0.3
        holder = chance.choice(crowd.holders)
        box = chance.choice([*chance.sample(list(crowd.files), 8), *holder.opens, *INVENTED[:2]])
        probes.append(probe(holder, box, any_sources() if reads or chance.random() < 0.5 else [], reads))
    await asyncio.gather(*probes)

    assert wrong == []
    assert statuses.keys() == {200, 403}
    assert statuses.total() == PROBES
    assert min(statuses.values()) > PROBES / 10
    assert len(refusals) == 1


async def test_invented_boxes_are_refused_in_the_same_words(acme: Organization, unlimited: None) -> None:
    key = asker(acme)

    replies = [await key.retrieve(quote(box, safe="")) for box in INVENTED]

    assert {reply.status_code for reply in replies} == {403}
    assert len({reply.content for reply in replies}) == 1


def told(reply: httpx2.Response) -> set[str]:
    """The boxes whose passages or pages are in the reply."""
    return set(re.findall("caldera (box_[0-9a-z]+)", reply.text)) if "caldera box_" in reply.text else set()


async def test_a_refusal_takes_as_long_whatever_is_behind_it(
    acme: Organization, rival: Organization, unlimited: None
) -> None:
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
