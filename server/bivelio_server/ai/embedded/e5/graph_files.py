"""The graphs as files: made once by whichever process needs one first, used by all."""

import os
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from bivelio_server.ai.embedded.e5.graphs import VERSION, GraphName, build
from bivelio_server.ai.embedded.e5.weights import SHA256, Weights

_log = structlog.get_logger()
_NAME: Final = "e5-{graph}-{version}-{weights}.onnx"


def graph_file(name: GraphName, weights: Weights, folder: Path) -> str | bytes:
    """Its path; or itself, where the folder cannot be written to."""
    path = folder / _NAME.format(graph=name, version=VERSION, weights=SHA256[:8])
    if path.is_file():
        return str(path)
    content = build(name, weights)
    try:
        _write(path, content)
    except OSError as problem:
        _log.warning("graph_not_kept", folder=str(folder), problem=str(problem))
        return content
    return str(path)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
