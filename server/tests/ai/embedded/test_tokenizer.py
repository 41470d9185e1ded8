"""Ids equal those of the C tokenizer, of which `token_ids.json` is a record."""

import json
from pathlib import Path

import pytest

from bivelio_server.ai.embedded.e5.engine import prefixed
from bivelio_server.ai.embedded.e5.nano_engine import NanoEngine
from bivelio_server.ai.embedded.e5.tokenizer import Tokenizer
from bivelio_server.ai.embedded.e5.weights import Unusable, Weights
from tests.ai.embedded.texts import PASSAGES, QUERIES, STRANGE

IDS = json.loads(Path(__file__).with_name("token_ids.json").read_text())


@pytest.fixture(scope="session")
def tokenizer(weights: Weights) -> Tokenizer:
    return Tokenizer(weights.pieces())


@pytest.mark.parametrize(("text", "ids"), IDS, ids=range(len(IDS)))
def test_a_text_has_the_ids_of_the_c_tokenizer(tokenizer: Tokenizer, text: str, ids: list[int]) -> None:
    assert tokenizer.ids(text) == ids


def test_a_text_has_as_many_tokens_as_the_package_counts(tokenizer: Tokenizer, reference: NanoEngine) -> None:
    texts = [text for text in PASSAGES + QUERIES + STRANGE if "\0" not in text]
    counted = [reference._model.token_count(text, is_query=False) for text in texts]
    assert [len(tokenizer.ids(prefixed(text, "passage"))) + 2 for text in texts] == counted


def test_a_word_that_came_before_has_the_same_ids_again(tokenizer: Tokenizer) -> None:
    assert tokenizer.ids("factura factura") == tokenizer.ids("factura") * 2


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (path := tmp_path / "e5-small-q4.bin").write_bytes(b"E5S1" + bytes(1000))
    with pytest.raises(Unusable):
        Weights(path)
