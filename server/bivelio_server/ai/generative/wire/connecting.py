"""The configured provider's models as pydantic-ai's."""

from collections.abc import Callable
from typing import Final

import httpx2
from openai import AsyncOpenAI
from pydantic_ai.embeddings.base import EmbeddingModel
from pydantic_ai.embeddings.google import GoogleEmbeddingModel
from pydantic_ai.embeddings.openai import OpenAIEmbeddingModel
from pydantic_ai.models import Model
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.google import GoogleProvider
from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

from bivelio_server.ai.generative.configuration import Configuration

#: Servers on this machine ask for none, but the library insists on one.
_NO_KEY: Final = "none"
#: A connection that is closed in the middle looks like the end; only the model's last word says so.
_STRICT: Final = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)


def models_of(
    configuration: Configuration, client: httpx2.AsyncClient
) -> tuple[Callable[[str], Model], Callable[[str], EmbeddingModel]]:
    """What makes a model by its name, and one for embeddings."""
    key = configuration.key.get_secret_value() if configuration.key else _NO_KEY
    if configuration.engine == "gemini":
        google = GoogleProvider(api_key=key, base_url=configuration.url, http_client=client)
        return lambda name: GoogleModel(name, provider=google), lambda name: GoogleEmbeddingModel(name, provider=google)
    openai = AsyncOpenAI(base_url=configuration.url, api_key=key, http_client=client, max_retries=0)
    compatible = OpenAICompatibleProvider("openai", openai_client=openai, profile=_STRICT)
    return lambda name: OpenAIChatModel(name, provider=compatible), lambda name: OpenAIEmbeddingModel(
        name, provider=compatible
    )
