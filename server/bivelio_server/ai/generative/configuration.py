"""Which provider and model the operator has configured."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from pydantic import SecretStr

from bivelio_server.settings import Settings

Engine: TypeAlias = Literal["gemini", "openai"]
GEMINI_MODEL: Final = "gemini-2.5-flash"
_OPENAI_ITSELF: Final = "https://api.openai.com/v1"


@dataclass(frozen=True, slots=True)
class Configuration:
    """`seconds` is for one answer, or between two pieces of a stream. Without `embedding_model` it embeds nothing."""

    engine: Engine
    model: str
    url: str
    key: SecretStr | None
    seconds: float
    embedding_model: str | None = None


def configuration_of(settings: Settings) -> Configuration | None:
    """None where no provider is configured."""
    seconds, embedding_model = settings.ai_timeout_seconds, settings.ai_embedding_model
    if settings.gemini_api_key is not None:
        model, key = settings.ai_model or GEMINI_MODEL, settings.gemini_api_key
        return Configuration("gemini", model, settings.gemini_url, key, seconds, embedding_model)
    if settings.openai_url is None and settings.openai_api_key is None:
        return None
    assert settings.ai_model is not None, "the settings hold that it is there"
    url = settings.openai_url or _OPENAI_ITSELF
    return Configuration("openai", settings.ai_model, url, settings.openai_api_key, seconds, embedding_model)
