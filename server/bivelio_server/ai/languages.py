"""Which language a text is in, whichever model an organisation works with."""

import asyncio
from importlib import import_module

#: What is behind it takes 70 MB and a second: a server that judges no language does without.
_BEHIND = "bivelio_server.ai.embedded.language"


async def language_of(text: str) -> str | None:
    """`es`, `en`, `pt` or `ca`; None for a text that is too short or doubtful. A text in a fifth language may be taken
    for one of the four."""
    found: str | None = await asyncio.to_thread(_identify, text)
    return found


def _identify(text: str) -> str | None:
    found: str | None = import_module(_BEHIND).language_of(text)
    return found
