"""Searches in several processes beside whatever changes: what is gone is gone from the very next answer of each."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from uuid import UUID

import psycopg
import pytest

from bivelio_server.installation import Installation
from tests.boxes.searcher import Searcher, searcher
from tests.boxes.stocking import Stock, a_box
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("acceptance")]
STEPS = 2000
CHANGES = 250


@pytest.fixture(scope="module")
def searchers(installation: Installation) -> Iterator[list[Searcher]]:
    with ExitStack() as stack:
        yield [stack.enter_context(searcher(installation)) for _ in range(2)]


@dataclass
class Model:
    """A box as it ought to be."""

    stock: Stock
    people: list[UUID]
    chance: random.Random
    members: set[UUID] = field(default_factory=set)
    files: dict[str, list[str]] = field(default_factory=dict)
    deleted: dict[str, list[str]] = field(default_factory=dict)
    written: int = 0

    @property
    def texts(self) -> set[str]:
        return {text for texts in self.files.values() for text in texts}

    def change(self) -> None:
        """Something that a person might do."""
        kinds = [self._add, self._replace, self._delete, self._restore, self._join, self._leave]
        self.chance.choices(kinds, weights=(4, 3, 3, 2, 1, 1))[0]()

    def _contents(self) -> list[str]:
        size = self.chance.randint(1, 3)
        self.written += size
        return [f"caldera {self.stock.id} número {self.written - n}" for n in range(size)]

    def _add(self) -> None:
        if len(self.files) < 12:
            texts = self._contents()
            self.files[self.stock.add("a.pdf", *texts)] = texts

    def _replace(self) -> None:
        if self.files:
            file_id, texts = self.chance.choice(list(self.files)), self._contents()
            self.files[self.stock.add("a.pdf", *texts, file_id=file_id)] = texts

    def _delete(self) -> None:
        if self.files:
            file_id = self.chance.choice(list(self.files))
            self.stock.delete(file_id)
            self.deleted[file_id] = self.files.pop(file_id)

    def _restore(self) -> None:
        if self.deleted and len(self.files) < 12:
            file_id = self.chance.choice(list(self.deleted))
            self.stock.restore(file_id)
            self.files[file_id] = self.deleted.pop(file_id)

    def _join(self) -> None:
        person = self.chance.choice(self.people)
        self.stock.member(person)
        self.members.add(person)

    def _leave(self) -> None:
        person = self.chance.choice(self.people)
        self.stock.remove_member(person)
        self.members.discard(person)


def models(organizations: list[Organization], chance: random.Random) -> list[Model]:
    """Two boxes in each environment of each organisation."""
    return [
        Model(a_box(organization, environment), people, chance)
        for organization in organizations
        for people in [[organization.member("viewer") for _ in range(3)]]
        for environment in ("live", "sandbox")
        for _ in range(2)
    ]


async def told(searcher: Searcher, model: Model, person: UUID) -> list[str] | None:
    stock = model.stock
    return await searcher.ask(
        org_id=stock.org_id, environment=stock.environment, user_id=person, box_id=stock.id, text="caldera número",
        top_k=50,
    )  # fmt: skip


async def test_every_answer_of_every_process_is_of_what_is_there(
    acme: Organization, rival: Organization, searchers: list[Searcher]
) -> None:
    chance = random.Random(11)
    all_models = models([acme, rival], chance)
    for _ in range(STEPS):
        model = chance.choice(all_models)
        if chance.random() < 0.4:
            model.change()
            continue
        person = chance.choice(model.people)

        found = await told(chance.choice(searchers), model, person)

        assert (None if found is None else set(found)) == (model.texts if person in model.members else None)


@dataclass
class Flow:
    """A box in which files come and go at once. `there` are texts that surely are, `gone` those that surely are not."""

    stock: Stock
    there: set[str] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)

    def change(self, number: int, chance: random.Random) -> None:
        kind = chance.choice(("add", "replace", "delete"))
        text = f"caldera {self.stock.id} número {number}"
        if kind == "add" and len(self.files) < 40:
            self.files[self.stock.add("a.pdf", text)] = text
            self.there.add(text)
        elif kind != "add" and self.files:
            file_id = chance.choice(list(self.files))
            former = self.files.pop(file_id)
            self.there.discard(former)
            if kind == "delete":
                self.stock.delete(file_id)
            else:
                self.files[self.stock.add("a.pdf", text, file_id=file_id)] = text
                self.there.add(text)
            self.gone.add(former)


async def test_nobody_is_told_what_was_gone_before_they_asked(
    acme: Organization, searchers: list[Searcher], installation: Installation
) -> None:
    chance, ended = random.Random(12), asyncio.Event()

    async def search(searcher: Searcher) -> int:
        asked = 0
        while not ended.is_set():
            gone, there = set(flow.gone), set(flow.there)
            found = await searcher.ask(
                org_id=acme.id, user_id=acme.owner_id, box_id=flow.stock.id, text="caldera número", top_k=50
            )
            assert found is not None
            assert len(found) == len(set(found))
            assert not gone & set(found)
            assert there & flow.there <= set(found)
            asked += 1
        return asked

    async def change() -> None:
        for number in range(CHANGES):
            await asyncio.to_thread(flow.change, number, chance)
        ended.set()

    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        flow = Flow(replace(a_box(acme), database=connection))
        *asked, _ = await asyncio.gather(*(search(each) for each in searchers), change())

    assert all(count > 20 for count in asked)
