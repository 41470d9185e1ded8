"""Modules that need numpy, loaded when the first search comes: a server that searches no box does without."""

import asyncio
from importlib import import_module
from typing import Any, Final

_HERE: Final = "bivelio_server.boxes.retrieval"
#: Those that are there whole: what another thread still imports is in `sys.modules` too.
_LOADED: Final[dict[str, Any]] = {}


async def heavy(name: str) -> Any:
    """That module of this package, imported beside the event loop."""
    if name not in _LOADED:
        _LOADED[name] = await asyncio.to_thread(import_module, f"{_HERE}.{name}")
    return _LOADED[name]
