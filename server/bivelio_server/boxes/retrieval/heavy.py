"""Modules that need numpy, loaded when the first search comes: a server that searches no box does without."""

import asyncio
import sys
from importlib import import_module
from typing import Any, Final

_HERE: Final = "bivelio_server.boxes.retrieval"


async def heavy(name: str) -> Any:
    """That module of this package, imported beside the event loop."""
    full = f"{_HERE}.{name}"
    return sys.modules.get(full) or await asyncio.to_thread(import_module, full)
