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

    async def complete(self, model: str, prompt: Prompt, seconds: float) -> Reply: ...

    def stream(self, model: str, prompt: Prompt, seconds: float) -> AsyncGenerator[TextDelta | Reply, None]: ...

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"], seconds: float) -> Embedded: ...

    async def aclose(self) -> None: ...


class Connection:
    """The configured provider, for all of its models; from when it is first asked."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._loading = asyncio.Lock()
        self._provider: Provider | None = None

    async def provider(self) -> Provider:
        """Seconds of CPU the first time: in a thread, so that requests go on meanwhile."""
        async with self._loading:
            if self._provider is None:
                self._provider = await asyncio.to_thread(_load, self._configuration)
            return self._provider

    async def aclose(self) -> None:
        if self._provider is not None:
            await self._provider.aclose()


def _load(configuration: Configuration) -> Provider:
    # By name: a server without a provider, and one that has not used it yet, neither waits nor pays for the import.
    return cast("Provider", importlib.import_module(_WIRE).WireProvider(configuration))
