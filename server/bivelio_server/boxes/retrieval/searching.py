"""A search in a box, in three parts: who may ask of what, the vector of the question, the chunks that answer it."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bivelio_server.ai.port import LANGUAGE, Embedded, NoSuchModel, Vector
from bivelio_server.ai.usage import count
from bivelio_server.boxes.access import require
from bivelio_server.boxes.retrieval import queries
from bivelio_server.boxes.retrieval.heavy import heavy
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.models import Output


@dataclass(frozen=True, slots=True)
class Question:
    """`sources` are the files to look in, all when None; `neighbours` how many chunks before and after each result
    come with it."""

    text: str
    sources: Sequence[str] | None = None
    top_k: int = 10
    min_score: float | None = None
    neighbours: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A passage of a file: `[offset_from, offset_to)` of the file's text, which is its pages joined by two line ends.
    `score` is from 0 to 1, and falls with the rank."""

    file_id: str
    file_name: str
    text: str
    score: float
    page_from: int
    page_to: int
    offset_from: int
    offset_to: int


@dataclass(frozen=True, slots=True)
class FullDocument:
    file_id: str
    file_name: str
    pages: list[str]


class Prepared(Output):
    """A box that the caller may search, with the version of its index and the models whose vectors it may ask for."""

    box_id: str
    needed: BoxRole
    version: int
    models: list[str]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of a question, by model; `asked` is what a provider was asked for them."""

    by_model: Mapping[str, Vector]
    asked: Sequence[Embedded] = ()


async def prepare(context: Context, box_id: str, needed: BoxRole) -> Prepared:
    """Raises NotFound where the caller has no role in the box, InsufficientScope where theirs is too small."""
    found = await queries.asked(context, box_id)
    if found is None:
        raise NotFound("box_id")
    require(BoxRole(found.role), needed)
    # While the next generation is made it may become the one that is searched at any moment.
    models = dict.fromkeys(model for model in (found.model, found.next_model) if model is not None)
    return Prepared(box_id=box_id, needed=needed, version=found.version or 0, models=list(models))


async def embed(services: Services, caller: Caller, prepared: Prepared, text: str) -> Vectors:
    """The question's vector by each model of the box that can still be asked; meanwhile the box is brought to memory.

    Raises IntegrationFailed where the model fails. It needs no transaction, and should be given none.
    """
    warming = asyncio.ensure_future(services.box_indexes.warm(services, caller, prepared.box_id, prepared.version))
    try:
        return await _embedded(services, caller, prepared.models, text)
    finally:
        await warming


async def search(context: Context, prepared: Prepared, vectors: Vectors, question: Question) -> list[Found]:
    """At most `top_k` passages, the best first; fewer only where there are no more. What is deleted by now is not among
    them. Raises NotFound, InsufficientScope where the caller may not search any more."""
    answering = await heavy(_ANSWERING)
    found: list[Found] = await answering.answer(context, prepared, vectors, question)
    for embedded in vectors.asked:
        await count(context, embedded)
    return found


async def full_documents(context: Context, box_id: str, needed: BoxRole, sources: Sequence[str]) -> list[FullDocument]:
    """The files of the box among `sources` whose contents are ready, in that order. Raises NotFound,
    InsufficientScope."""
    await prepare(context, box_id, needed)
    wanted = [source for source in dict.fromkeys(sources) if is_well_formed(source)]
    found: dict[str, FullDocument] = {}
    for row in await queries.pages(context, box_id, wanted):
        found.setdefault(row.id, FullDocument(row.id, row.file_name, [])).pages.append(row.text)
    return [found[file_id] for file_id in wanted if file_id in found]


async def _embedded(services: Services, caller: Caller, models: Sequence[str], text: str) -> Vectors:
    """None of a model that cannot be asked any more: words alone are then looked for."""
    ai, found = services.providers.of(LANGUAGE, services, caller), []
    for model in models:
        with suppress(NoSuchModel):
            if ai is not None:
                found.append(await ai.embed([text], "query", model))
    return Vectors(
        {model.model: model.vectors[0] for model in found}, [each for each in found if each.engine != _CARRIED]
    )


_ANSWERING: Final = "answering"
#: What this server computes itself is not counted.
_CARRIED: Final = "embedded"
