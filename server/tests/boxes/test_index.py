"""The index in memory: it ranks as one would by looking at every chunk, however it came to be."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from bivelio_server.boxes.retrieval import dense
from bivelio_server.boxes.retrieval.dense import Direction
from bivelio_server.boxes.retrieval.fusion import deviation, fused
from bivelio_server.boxes.retrieval.index import Row, part_of, settled
from bivelio_server.boxes.retrieval.ranking import Part, Ranking
from bivelio_server.boxes.retrieval.segments import Floats, stored

File = list[tuple[Floats, Counter[int]]]
DIMENSION = 24


def unit(vectors: Floats) -> Floats:
    found: Floats = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return found


def a_file(chance: random.Random, chunks: int) -> File:
    draw = np.random.default_rng(chance.getrandbits(32))
    vectors = unit(draw.normal(size=(chunks, DIMENSION)).astype(np.float32))
    return [(vector, Counter(chance.choices(range(1, 40), k=chance.randint(0, 30)))) for vector in vectors]


def row(seq: int, file: File) -> Row:
    segment = stored(np.array([vector for vector, _ in file]), [terms for _, terms in file])
    return Row(seq, f"file_{seq}", 1, segment)


def expected(files: dict[int, File], asked: Counter[int], vector: Floats) -> dict[tuple[int, int], tuple[float, float]]:
    """Cosine and share of BM25 by segment and chunk, without any index."""
    chunks = {(seq, n): chunk for seq, file in files.items() for n, chunk in enumerate(file)}
    average = max(sum(sum(terms.values()) for _, terms in chunks.values()) / len(chunks), 1)
    having = {term: sum(term in terms for _, terms in chunks.values()) for term in asked}
    rarity = {term: math.log1p((len(chunks) - count + 0.5) / (count + 0.5)) for term, count in having.items()}
    most = sum(rarity[term] * asked[term] for term in asked)
    found = {}
    for key, (own, terms) in chunks.items():
        longer = 1.2 * (0.25 + 0.75 * sum(terms.values()) / average)
        scores = (rarity[term] * asked[term] * terms[term] / (terms[term] + longer) for term in asked if terms[term])
        found[key] = (float(own @ vector), sum(scores) / most)
    return found


def ranked(
    parts: Sequence[Part], asked: Counter[int], vector: Floats, count: int = 10_000
) -> dict[tuple[int, int], tuple[float, float]]:
    ranking = Ranking(asked, Direction(vector))
    for part in parts:
        ranking.add(part)
    return {(each.place.seq, each.n): (each.near, each.lexical) for each in ranking.finished().candidates(count)}


def test_it_ranks_the_same_however_it_grew() -> None:
    chance = random.Random(5)
    files: dict[int, File] = {}
    parts: tuple[Part, ...] = ()
    for step in range(150):
        came = {3 * step + n: a_file(chance, chance.randint(1, 9)) for n in range(chance.randint(0, 3))}
        files.update(came)
        for gone in chance.sample(sorted(files), min(len(files) - 1, chance.choice((0, 0, 1, 2, 6)))):
            del files[gone]
        new = [part_of([row(seq, file) for seq, file in came.items()])] if came else []
        parts = settled([*parts, *new], frozenset(files))
        asked = Counter(chance.choices(range(1, 45), k=5))
        vector = unit(np.array([chance.gauss() for _ in range(DIMENSION)], np.float32))

        found = ranked(parts, asked, vector)

        wanted = expected(files, asked, vector)
        assert found.keys() == wanted.keys()
        for key, (near, lexical) in wanted.items():
            assert found[key] == (pytest.approx(near, abs=0.02), pytest.approx(lexical, abs=1e-5))
    assert len(parts) <= math.log2(sum(part.chunks for part in parts)) + 1


def test_files_that_come_one_by_one_are_joined_in_few_blocks() -> None:
    chance, parts = random.Random(1), ()
    joined: Counter[int] = Counter()
    for seq in range(256):
        before = {id(part.block) for part in parts}
        parts = settled([*parts, part_of([row(seq, a_file(chance, 2))])], frozenset(range(seq + 1)))
        for part in parts:
            if id(part.block) not in before:
                joined.update(place.seq for place in part.places)

    assert len(parts) <= 8
    assert max(joined.values()) <= 10


def test_without_simsimd_it_is_the_same() -> None:
    draw = np.random.default_rng(2)
    vectors = draw.integers(-127, 128, (9000, 48), dtype=np.int8)
    one = draw.integers(-127, 128, (1, 48), dtype=np.int8)

    plain = dense._by_numpy(one, vectors)

    assert (plain == vectors.astype(np.int32) @ one[0].astype(np.int32)).all()
    if dense._SIMSIMD is not None:
        assert (plain == dense._by_simsimd(one, vectors)).all()


def test_small_numbers_lose_none_of_the_nearest() -> None:
    """Vectors like those of e5: any two have a cosine of some 0.8."""
    draw = np.random.default_rng(3)
    mean = unit(draw.normal(size=384).astype(np.float32))
    own = unit(draw.normal(size=(8000, 384)).astype(np.float32))
    vectors = unit(mean * 0.8**0.5 + own * 0.2**0.5)
    parts = [part_of([row(1, [(vector, Counter()) for vector in vectors])])]
    for number in range(40):
        vector = unit(vectors[number] + 0.35 * unit(draw.normal(size=384).astype(np.float32)))

        found = ranked(parts, Counter(), vector, 50)

        nearest = np.argsort(-(vectors @ vector))[:10]
        assert {(1, int(n)) for n in nearest} <= found.keys()


def test_a_candidate_is_the_best_of_both_halves_together() -> None:
    chance = random.Random(8)
    files = {seq: a_file(chance, 20) for seq in range(20)}
    parts = [part_of([row(seq, file) for seq, file in files.items()])]
    vector, asked = unit(np.ones(DIMENSION, np.float32)), Counter([3, 4, 5])

    found = ranked(parts, asked, vector, 30)

    wanted = expected(files, asked, vector)
    cosines, shares = (np.array([scores[half] for scores in wanted.values()], np.float32) for half in (0, 1))
    order = np.argsort(-fused(cosines, shares, deviation(cosines)))
    assert {list(wanted)[at] for at in order[:20]} <= found.keys()
