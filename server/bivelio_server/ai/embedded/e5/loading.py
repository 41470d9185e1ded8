"""Which engine computes e5 on this machine."""

from importlib import import_module
from pathlib import Path

import structlog

from bivelio_server.ai.embedded.e5.engine import Engine
from bivelio_server.ai.embedded.e5.weights import Unusable, Weights, find

_log = structlog.get_logger()


def load(folder: Path) -> Engine:
    """The fastest that works here; `folder` is for what it keeps. Takes about a second. Raises Unusable."""
    weights = Weights(find())
    try:
        # Either library may be absent, or unable to load on this machine.
        return import_module("bivelio_server.ai.embedded.e5.onnx_engine").OnnxEngine(weights, folder)  # type: ignore[no-any-return]  # its class says what it is
    except Exception as problem:  # noqa: BLE001  # the errors of ONNX Runtime have no base of their own
        _log.warning("onnxruntime_not_usable", problem=str(problem))
    return _nano()


def _nano() -> Engine:
    try:
        engine: Engine = import_module("bivelio_server.ai.embedded.e5.nano_engine").NanoEngine()
    except ImportError as problem:
        raise Unusable(str(problem)) from problem
    return engine
