"""What people write to ask for a model: its name, with its provider before it or without, or `embedded`."""

import re
from typing import Final

#: Asks for what this server carries, whatever provider is configured.
EMBEDDED: Final = "embedded"
PROVIDERS: Final = frozenset({"gemini", "openai"})
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]*")


def is_model_name(asked: str) -> bool:
    """Whether it can be one. Names are part of addresses: none leads elsewhere."""
    return _NAME.fullmatch(asked) is not None and ".." not in asked


def split(asked: str) -> tuple[str | None, str]:
    """The provider that it names, and the model: `qwen3:8b` names none."""
    provider, colon, name = asked.partition(":")
    return (provider, name) if colon and provider in PROVIDERS else (None, asked)


def provider_elsewhere(asked: str, engine: str) -> str | None:
    """The provider that it names and that is not the one configured, `engine`; None where that cannot be told.

    Without a provider any may be configured yet. Gemini's names have no colon; elsewhere it may belong to the name.
    """
    before, colon, _ = asked.partition(":")
    if not colon or before == engine:
        return None
    if before == EMBEDDED or engine == "gemini":
        return before
    return before if before in PROVIDERS and engine != EMBEDDED else None
