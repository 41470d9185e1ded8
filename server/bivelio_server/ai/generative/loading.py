"""The first use of a provider imports what speaks to it."""

import asyncio
import importlib
from collections.abc import AsyncGenerator, Sequence
from typing import Final, Literal, Protocol, cast

from bivelio_server.ai.generative.configuration import Configuration
from bivelio_server.ai.port import Embedded, Prompt, Reply, TextDelta

_WIRE: Final = "bivelio_server.ai.generative.wire.provider"


class Provider(Protocol):
    """One try at a time. Raises ProviderFailed and ProviderRefused; `seconds` is for all of it."""

    async def complete(self, prompt: Prompt, seconds: float) -> Reply: ...

    def stream(self, prompt: Prompt, seconds: float) -> AsyncGenerator[TextDelta | Reply, None]: ...

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"], seconds: float) -> Embedded: ...

    async def aclose(self) -> None: ...


async def load(configuration: Configuration) -> Provider:
    """Seconds of CPU the first time: in a thread, so that requests go on meanwhile."""
    return await asyncio.to_thread(_load, configuration)


def _load(configuration: Configuration) -> Provider:
    # By name: a server without a provider, and one that has not used it yet, neither waits nor pays for the import.
    return cast("Provider", importlib.import_module(_WIRE).WireProvider(configuration))
