"""Boxes whose model is changed: each is asked with the model that its vectors are of."""

import numpy as np
import psycopg
import pytest

from bivelio_server.ai.port import Embedded
from bivelio_server.boxes.retrieval.analysis import terms_of
from bivelio_server.boxes.retrieval.segments import stored
from bivelio_server.kit.errors import IntegrationFailed
from tests.boxes.searching import refused, texts
from tests.boxes.stocking import MODEL, Stock, WordsModel, vector_of
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_a_box_is_asked_with_the_model_of_its_vectors(acme: Organization, box: Stock, words: WordsModel) -> None:
    box.add("a.pdf", "caldera", "otra")
    words.embedding_model, words.former_models = "newer", {MODEL}

    assert await texts(acme.live, box, "caldera", top_k=1) == ["caldera"]
    assert words.questions == [(MODEL, "caldera")]


async def test_where_that_model_is_gone_words_are_looked_for(acme: Organization, box: Stock, words: WordsModel) -> None:
    box.add("a.pdf", "caldera de gas", "otra de gas", "nada de eso")
    words.embedding_model = "newer"

    assert await texts(acme.live, box, "la caldera") == ["caldera de gas"]
    assert await texts(acme.live, box, "tejado") == []


async def test_a_new_generation_is_searched_from_the_switch_on(
    acme: Organization, box: Stock, words: WordsModel
) -> None:
    file_id = box.add("a.pdf", "caldera", "otra")
    words.embedding_model, words.former_models = "newer", {MODEL}
    assert await texts(acme.live, box, "caldera", top_k=1) == ["caldera"]
    box.run("update box_indexes set next_generation = 2, next_model = 'newer' where box_id = %(box_id)s")
    # In the new generation the second passage lies where the question is.
    vectors = np.array([vector_of("otra"), vector_of("caldera")], np.float32)
    segment = stored(vectors, [terms_of("x"), terms_of("y")])
    box.run(
        "insert into box_segments select org_id, environment, box_id, 2, seq, file_id, revision, chunks, %(vectors)s,"
        " %(terms)s, created_at from box_segments where file_id = %(file_id)s",
        file_id=file_id, vectors=segment.vectors, terms=segment.terms,
    )  # fmt: skip
    box.run(
        "insert into box_vectors select v.org_id, v.environment, 'newer', k.digest,"
        " (array[%(first)s, %(second)s]::bytea[])[k.n + 1], now() from box_chunks k join box_vectors v"
        " on v.org_id = k.org_id and v.environment = k.environment and v.digest = k.digest"
        " where k.file_id = %(file_id)s",
        file_id=file_id, first=vectors[0].astype("<f2").tobytes(), second=vectors[1].astype("<f2").tobytes(),
    )  # fmt: skip
    words.questions.clear()

    assert await texts(acme.live, box, "caldera", top_k=1) == ["caldera"]
    assert [model for model, _ in words.questions] == [MODEL, "newer"]

    box.run(
        "update box_indexes set version = version + 1, generation = 2, model = 'newer', next_generation = null,"
        " next_model = null where box_id = %(box_id)s"
    )

    assert await texts(acme.live, box, "tercera caldera", top_k=1) != []
    assert await texts(acme.live, box, "caldera", top_k=1) == ["otra"]


async def test_a_switch_between_question_and_answer_is_no_error(
    acme: Organization, box: Stock, words: WordsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.add("a.pdf", "caldera de gas")
    embed = WordsModel.embed

    async def embed_and_switch(self: WordsModel, given: list[str], kind: str, model: str | None = None) -> Embedded:
        found = await embed(self, given, kind, model)
        box.run("update box_indexes set version = version + 1, model = 'newer' where box_id = %(box_id)s")
        return found

    monkeypatch.setattr(WordsModel, "embed", embed_and_switch)

    assert await texts(acme.live, box, "caldera") == ["caldera de gas"]


async def test_a_model_that_fails_is_told_and_costs_nothing(
    acme: Organization, box: Stock, words: WordsModel, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.add("a.pdf", "caldera")

    async def fail(*_: object) -> Embedded:
        raise IntegrationFailed(details={"provider": "overloaded", "engine": "gemini", "model": "e"})

    monkeypatch.setattr(WordsModel, "embed", fail)

    assert await refused(acme.live, box) == (503, "INTEGRATION_ERROR")
    counted = owner.execute("select calls, failures from ai_usage where org_id = %s", (acme.id,)).fetchall()
    assert counted == [(1, 1)]
    assert owner.execute("select from box_unit_months where org_id = %s and used > 0", (acme.id,)).fetchall() == []


async def test_what_a_provider_embeds_is_counted(
    acme: Organization, box: Stock, words: WordsModel, owner: psycopg.Connection
) -> None:
    box.add("a.pdf", "caldera")

    await texts(acme.live, box, "caldera")

    counted = owner.execute("select engine, model, calls from ai_usage where org_id = %s", (acme.id,)).fetchall()
    assert counted == [("scripted", MODEL, 1)]
