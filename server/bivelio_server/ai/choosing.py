"""Which model of language does the work: the one of the provider that is configured, else what this server carries.

The sandbox asks the same one: what a model says changes nothing outside.
"""

from functools import cache
from pathlib import Path
from typing import Final

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from bivelio_server.ai.generative import Configuration, GenerativeAI, configuration_of
from bivelio_server.ai.port import AI
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services

_generative: Final[dict[Configuration, GenerativeAI]] = {}


def language_model(services: Services, caller: Caller) -> AI:  # noqa: ARG001 - every organisation has the same
    """One for the process: it keeps its connections until `close_language_models`."""
    carried = _embedded(services.settings.models_folder)
    configuration = configuration_of(services.settings)
    if configuration is None:
        return carried
    if configuration not in _generative:
        _generative[configuration] = GenerativeAI(configuration, carried)
    return _generative[configuration]


async def close_language_models() -> None:
    while _generative:
        _, model = _generative.popitem()
        await model.aclose()


@cache
def _embedded(folder: Path) -> EmbeddedAI:
    return EmbeddedAI(folder)
