from pathlib import Path

import pytest

from bivelio_server.ai.embedded.e5.loading import load
from bivelio_server.ai.embedded.e5.nano_engine import NanoEngine
from bivelio_server.ai.embedded.e5.onnx_engine import OnnxEngine
from bivelio_server.ai.embedded.e5.weights import Weights, find


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the graphs."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def weights() -> Weights:
    return Weights(find())


@pytest.fixture(scope="session")
def engine(models: Path) -> OnnxEngine:
    loaded = load(models)
    assert isinstance(loaded, OnnxEngine)
    return loaded


@pytest.fixture(scope="session")
def reference() -> NanoEngine:
    """The C engine of the package that the weights come from."""
    return NanoEngine()
