"""Searching a box, by every door but the public API."""

from typing import Final

from bivelio_server.ai.usage import count
from bivelio_server.boxes.retrieval import searching
from bivelio_server.boxes.retrieval.searching import Found, Vectors
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.search_schemas import BoxPassage, BoxSearch, BoxSearchResult, PreparedSearch
from bivelio_server.boxes.units import PER_SEARCH, require_unit, spend_unit
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import InsufficientScope, IntegrationFailed, NotFound, Unavailable
from bivelio_server.kit.operations import Feature
from bivelio_server.kit.text import Text

feature: Final = Feature("boxes")


async def _prepare(context: Context, data: BoxSearch) -> PreparedSearch:
    box = await searching.prepare(context, data.box_id, BoxRole.viewer)
    await require_unit(context)
    return PreparedSearch(box=box, question=data.question)


async def _perform(call: OutgoingCall, prepared: PreparedSearch) -> Vectors:
    return await searching.embed(call.services, call.caller, prepared.box, prepared.question.text)


async def _record(context: Context, prepared: PreparedSearch, vectors: Vectors) -> BoxSearchResult:
    found = await searching.search(context, prepared.box, vectors, prepared.question)
    await spend_unit(context)
    return BoxSearchResult(results=[_passage(each) for each in found], units_consumed=PER_SEARCH)


async def _record_failure(context: Context, _prepared: PreparedSearch, error: IntegrationFailed) -> None:
    await count(context, error)


def _passage(found: Found) -> BoxPassage:
    return BoxPassage(
        text=found.text, score=found.score, file_id=found.file_id, file_name=found.file_name,
        page_from=found.page_from, page_to=found.page_to, offset_from=found.offset_from, offset_to=found.offset_to,
        citation=citation_of(found),
    )  # fmt: skip


def citation_of(found: Found) -> str:
    """As `manual.pdf, p. 3-4`."""
    pages = str(found.page_from) if found.page_from == found.page_to else f"{found.page_from}-{found.page_to}"
    return f"{found.file_name}, p. {pages}"


feature.external(
    "search", scope=Scope.read, prepare=_prepare, perform=_perform, record=_record, record_failure=_record_failure,
    errors=[NotFound, InsufficientScope, Unavailable], irreversible=False,
    summary=Text("Busca en los documentos de una caja", "Search the documents of a box"),
)  # fmt: skip
