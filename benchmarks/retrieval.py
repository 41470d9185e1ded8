"""Searching boxes of 10³, 10⁴ and 10⁵ passages in a database of 10⁶: latency, CPU, requests a second, memory, recall.

    python benchmarks/retrieval.py [--database 1000000] [--boxes 1000 10000 100000]

Texts and vectors are made up: words as frequent as in a language, vectors as near to one another as those of e5. A question
is of a passage: some of its words, and a vector not far from its own.
Filling the database takes most of the time.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
from load import drive, percentile, request
from place import Place, place
from stock import MODEL, Filled, Stocker, near

from bivelio_server.app import compose_services, opened
from bivelio_server.boxes.retrieval.searching import Found, Prepared, Question, Vectors, embed, prepare, search
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.installation import Installation, installation
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.settings import Settings

SIZES = (1_000, 10_000, 100_000)
DATABASE = 1_000_000
QUESTIONS = 150
SECONDS = 4
CLIENTS = (1, 8)


@dataclass
class Times:
    """Milliseconds of each question."""

    of_embedding: list[float] = field(default_factory=list)
    of_search: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Asker:
    services: Services
    caller: Caller

    async def prepared(self, box: Filled) -> Prepared:
        async with transaction(self.caller, self.services, Origin(Door.http, None, None)) as context:
            return await prepare(context, box.id, BoxRole.viewer)

    async def embedded(self, prepared: Prepared, text: str) -> Vectors:
        return await embed(self.services, self.caller, prepared, text)

    async def found(self, prepared: Prepared, vectors: Vectors, question: Question) -> list[Found]:
        async with transaction(self.caller, self.services, Origin(Door.http, None, None)) as context:
            return await search(context, prepared, vectors, question)


async def measure(here: Place, installed: Installation, sizes: Sequence[int] = SIZES, database: int = DATABASE) -> None:
    org_id, user_id = here.provisioned["organization_id"], here.provisioned["user_id"]
    began = time.perf_counter()
    stocker = Stocker(installed.owner_url, org_id, user_id)
    boxes = [await asyncio.to_thread(stocker.box, size) for size in sizes]
    await asyncio.to_thread(stocker.others, max(0, database - sum(sizes)))
    await asyncio.to_thread(stocker.settle)
    seconds, in_all = time.perf_counter() - began, max(database, sum(sizes))
    print(f"\nsearching boxes: {in_all} passages in the database, {stocker.size() / in_all:.0f} bytes of disk for each")
    print(f"  filled by COPY in {seconds:.0f} s")
    caller = Caller(UUID(org_id), Environment.live, f"user:{user_id}", UUID(user_id), frozenset({"read"}))
    async with opened(compose_services(installed)) as services:
        asker = Asker(services, caller)
        for box in boxes:
            await _one_box(here, asker, box)


async def _one_box(here: Place, asker: Asker, box: Filled) -> None:
    passages = len(box.texts)
    prepared = await asker.prepared(box)
    await asker.embedded(prepared.model_copy(update={"version": 0}), "carga del modelo")
    asker.services.box_indexes.clear()
    began = time.perf_counter()
    await asker.services.box_indexes.warm(asker.services, asker.caller, box.id, prepared.version)
    loading, size = time.perf_counter() - began, asker.services.box_indexes.bytes
    print(f"  box of {passages} passages: cold load {loading:.2f} s, {size / passages:.0f} bytes of memory for each")
    random = np.random.default_rng(passages)
    for _ in range(10):
        await _ask(asker, box, prepared, random, Times())
    recall = await _recall(asker, box, prepared, random)
    times, cpu, postgres = Times(), time.process_time(), here.postgres_cpu()
    for _ in range(QUESTIONS):
        await _ask(asker, box, prepared, random, times)
    cpu, postgres = time.process_time() - cpu, here.postgres_cpu() - postgres
    print(f"    embedding {_spread(times.of_embedding)}")
    print(f"    search    {_spread(times.of_search)}" + ("  (aim: p50 under 10 ms)" if passages == max(SIZES) else ""))
    print(
        f"    CPU a question {1000 * cpu / QUESTIONS:.1f} ms in the process (embedding included),"
        f" {1000 * postgres / QUESTIONS:.1f} ms in PostgreSQL"
    )
    print(f"    recall@10 of an exact scan {recall:.4f}")
    for clients in CLIENTS:
        await _over_http(here, box, clients)


async def _ask(asker: Asker, box: Filled, prepared: Prepared, random: np.random.Generator, times: Times) -> None:
    at = int(random.integers(len(box.texts)))
    words, vector = box.texts[at].split(), near(box.vectors[at], random)
    text = " ".join(words[n] for n in random.integers(0, len(words) - 1, 6))
    began = time.perf_counter()
    await asker.embedded(prepared, text)
    embedded = time.perf_counter()
    await asker.found(prepared, Vectors({MODEL: vector.tolist()}), Question(text))
    ended = time.perf_counter()
    times.of_embedding.append(1000 * (embedded - began))
    times.of_search.append(1000 * (ended - embedded))


async def _recall(asker: Asker, box: Filled, prepared: Prepared, random: np.random.Generator) -> float:
    """How many of the ten nearest are found where words do not count, by what all vectors say as they are stored."""
    stored, shares = box.vectors.astype(np.float16).astype(np.float32), []
    for _ in range(QUESTIONS // 2):
        vector = near(box.vectors[random.integers(len(box.texts))], random)
        found = await asker.found(prepared, Vectors({MODEL: vector.tolist()}), Question("?"))
        nearest = {box.texts[at] for at in np.argsort(-(stored @ vector))[:10]}
        shares.append(len(nearest & {each.text for each in found}) / len(nearest))
    return sum(shares) / len(shares)


async def _over_http(here: Place, box: Filled, clients: int) -> None:
    def make(number: int) -> bytes:
        words = box.texts[number * 37 % len(box.texts)].split()
        return request("/v1/boxes/search", here.key, {"box_id": box.id, "query": " ".join(words[:6])})

    load = await drive(here.port, make, connections=clients, seconds=SECONDS)
    print(f"    boxes.search over HTTP, {clients} clients {load}")


def _spread(milliseconds: list[float]) -> str:
    ordered = sorted(milliseconds)
    return f"p50 {percentile(ordered, 0.5):6.2f} ms   p99 {percentile(ordered, 0.99):6.2f} ms"


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=int, default=DATABASE, help="passages in all, in boxes that nobody asks")
    parser.add_argument("--boxes", type=int, nargs="+", default=SIZES, help="passages in each box that is asked")
    given = parser.parse_args()
    with place() as here, installation(Settings(data_dir=here.data_dir)) as installed:
        asyncio.run(measure(here, installed, given.boxes, given.database))


if __name__ == "__main__":
    _main()
