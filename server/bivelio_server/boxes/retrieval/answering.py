"""A search: ranking in memory, then one statement that reads what was found and sees whether it may be told."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bivelio_server.boxes.access import require
from bivelio_server.boxes.retrieval import queries
from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.dense import Direction
from bivelio_server.boxes.retrieval.fusion import fused, shown
from bivelio_server.boxes.retrieval.index import Index
from bivelio_server.boxes.retrieval.loading import Listing, parts_of
from bivelio_server.boxes.retrieval.picking import Passage, Piece, Span, picked, stitched
from bivelio_server.boxes.retrieval.ranking import Candidate, Ranked, Ranking
from bivelio_server.boxes.retrieval.searching import Found, Prepared, Question, Vectors
from bivelio_server.boxes.retrieval.segments import Floats
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import NotFound, Unavailable

#: The best by small numbers, of which exact scores are made: so many, and more for each that is asked for.
_FIRST: Final = 20
_EACH: Final = 2
#: How many times as many when too few are left of them, and how many at most.
_WIDER: Final = 4
_MOST: Final = 8192
#: How often a search begins anew because the box has changed meanwhile.
_TRIES: Final = 4
#: Larger boxes are ranked beside the event loop.
_BRIEF_CHUNKS: Final = 2000
#: Boxes too large for the memory are read whole by each search: one at a time, and so many may wait.
_SCANS_WAITING: Final = 2


class _Scans:
    def __init__(self) -> None:
        self.turn = asyncio.Semaphore()
        self.waiting = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was found in the box as it was at `version`; `is_full` when there is no more to be found."""

    version: int
    spans: list[Span]
    is_full: bool


async def answer(context: Context, prepared: Prepared, vectors: Vectors, question: Question) -> list[Found]:
    """Raises NotFound, InsufficientScope."""
    indexes, caller = context.services.box_indexes, context.caller
    kept = indexes.kept(caller, prepared.box_id)
    index: Index | Listing = kept or await indexes.load(context.session, caller, prepared.box_id, prepared.version)
    search = _Search(context, prepared, vectors, question)
    for tries_left in reversed(range(_TRIES)):
        found = await search.in_(index)
        if found.version == index.version or not tries_left:
            break
        index = await indexes.load(context.session, caller, prepared.box_id, found.version)
    return await _told(context, found.spans, question.neighbours)


class _Search:
    def __init__(self, context: Context, prepared: Prepared, vectors: Vectors, question: Question) -> None:
        self._context = context
        self._prepared = prepared
        self._vectors = vectors
        self._question = question
        self._terms = terms_of(question.text)

    async def in_(self, index: Index | Listing) -> _Answer:
        vector = self._vector_of(index.model)
        direction = None if vector is None else Direction(vector)
        ranking = Ranking(self._terms, direction, self._question.sources)
        ranked = await (self._scanned(ranking, index) if isinstance(index, Listing) else _ranked(ranking, index))
        count = _FIRST + _EACH * self._question.top_k
        while True:
            found = await self._looked_up(index, ranked, vector, count)
            if found.is_full or found.version != index.version or count >= _MOST:
                return found
            count *= _WIDER

    def _vector_of(self, model: str | None) -> Floats | None:
        found = None if model is None else self._vectors.by_model.get(model)
        return None if found is None else np.asarray(found, np.float32)

    async def _looked_up(self, index: Index | Listing, ranked: Ranked, vector: Floats | None, count: int) -> _Answer:
        question = self._question
        candidates = ranked.candidates(count)
        rows = await queries.passages(self._context, self._prepared.box_id, index.model, candidates)
        if not rows:
            raise NotFound("box_id")
        require(BoxRole(rows[0].role), self._prepared.needed)
        read = [row for row in rows if row.position is not None]
        passages = _in_order(read, [candidates[row.position - 1] for row in read], vector, ranked.spread)
        good = [passage for passage in passages if question.min_score is None or passage.score >= question.min_score]
        spans = picked(good, question.top_k, question.neighbours)
        is_full = len(spans) >= question.top_k or len(good) < len(passages) or len(candidates) >= ranked.size
        return _Answer(rows[0].version or 0, spans, is_full)

    async def _scanned(self, ranking: Ranking, listing: Listing) -> Ranked:
        """Of a box that is too large to be held."""
        if _SCANS.waiting >= _SCANS_WAITING:
            raise Unavailable
        _SCANS.waiting += 1
        try:
            await _SCANS.turn.acquire()
        finally:
            _SCANS.waiting -= 1
        try:
            session, caller = self._context.session, self._context.caller
            box_id, generation = self._prepared.box_id, listing.generation
            async for part in parts_of(session, caller, box_id, generation, listing.segments):
                await asyncio.to_thread(ranking.add, part)
            return await asyncio.to_thread(ranking.finished)
        finally:
            _SCANS.turn.release()


async def _ranked(ranking: Ranking, index: Index) -> Ranked:
    if index.chunks <= _BRIEF_CHUNKS:
        return _rank(ranking, index)
    return await asyncio.to_thread(_rank, ranking, index)


def _rank(ranking: Ranking, index: Index) -> Ranked:
    for part in index.parts:
        ranking.add(part)
    return ranking.finished()


def _in_order(
    rows: Sequence[Any], candidates: Sequence[Candidate], vector: Floats | None, spread: float
) -> list[Passage]:
    """The best first; of equals always the same."""
    lexical = np.array([candidate.lexical for candidate in candidates], np.float32)
    exact = lexical if vector is None else fused(_cosines(rows, candidates, vector), lexical, spread)
    order = sorted(range(len(rows)), key=lambda at: (-exact[at], candidates[at].place.seq, candidates[at].n))
    return [_passage(rows[at], candidates[at], shown(float(exact[at]))) for at in order]


def _cosines(rows: Sequence[Any], candidates: Sequence[Candidate], vector: Floats) -> Floats:
    """Exact, but where a vector is not there any more."""
    cosines = np.array([candidate.near for candidate in candidates], np.float32)
    exact = [at for at, row in enumerate(rows) if row.vector is not None]
    if exact:
        stored = np.frombuffer(b"".join(rows[at].vector for at in exact), "<f2").reshape(len(exact), -1)
        cosines[exact] = stored.astype(np.float32) @ vector
    return cosines


def _passage(row: Any, candidate: Candidate, score: float) -> Passage:
    piece = Piece(row.text, row.page_from, row.page_to, row.offset_from, row.offset_to)
    return Passage(candidate.place.file_id, row.file_name, candidate.place.revision, candidate.n, score, piece)


async def _told(context: Context, spans: Sequence[Span], neighbours: int) -> list[Found]:
    if not neighbours or not spans:
        return [_found(span.best, span.best.piece) for span in spans]
    wanted = [(span.best.file_id, span.best.revision, span.first, span.last) for span in spans]
    pieces: dict[int, list[Piece]] = {}
    for row in await queries.neighbours(context, wanted):
        piece = Piece(row.text, row.page_from, row.page_to, row.offset_from, row.offset_to)
        pieces.setdefault(row.position - 1, []).append(piece)
    return [_found(span.best, stitched(pieces.get(at, [span.best.piece]))) for at, span in enumerate(spans)]


def _found(passage: Passage, piece: Piece) -> Found:
    return Found(
        file_id=passage.file_id,
        file_name=passage.file_name,
        text=piece.text,
        score=passage.score,
        page_from=piece.page_from,
        page_to=piece.page_to,
        offset_from=piece.offset_from,
        offset_to=piece.offset_to,
    )


_SCANS: Final = _Scans()
