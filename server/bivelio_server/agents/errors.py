"""How an execution of an agent is refused, or ends early."""

from collections.abc import Mapping
from typing import Any

from bivelio_server.kit.errors import Conflict, IntegrationFailed, IntegrationRefused
from bivelio_server.kit.text import Text


class AgentInactive(Conflict):
    code = "AGENT_INACTIVE"
    text = Text("El agente no está activo; actívalo con agents.activate.", "The agent is not active: agents.activate.")


class LimitReached(IntegrationRefused):
    """The agent's own limits end the execution; `details.limit` is the one."""

    def __init__(self, limit: str, value: int) -> None:
        super().__init__(_LIMITS[limit].format(value=value), details={"limit": limit, "value": value})


class UnfitOutput(IntegrationFailed):
    """What the model answered does not fit the schema, not even when asked again."""

    text = Text(
        "La respuesta del modelo no cumple el output_schema del agente.",
        "The model's answer does not fit the agent's output_schema.",
    )


class BrokenOff(IntegrationFailed):
    """What broke an execution off."""

    def __init__(self, error: IntegrationFailed, details: Mapping[str, Any]) -> None:
        super().__init__(error.text, details={**error.details, **details})
        self.retry_after = error.retry_after


class BrokenOffForGood(BrokenOff, IntegrationRefused):
    """The same call would end alike."""


_LIMITS: Mapping[str, Text] = {
    "steps": Text(
        "El agente no terminó en {value} pasos, su límite.", "The agent did not end within {value} steps, its limit."
    ),
    "tokens": Text(
        "El agente no terminó con {value} tokens, su límite.", "The agent did not end within {value} tokens, its limit."
    ),
    "seconds": Text(
        "El agente no terminó en {value} segundos, su límite.",
        "The agent did not end within {value} seconds, its limit.",
    ),
}
