"""An agent with labels: which of them a text is, with what confidence, and what can be read out of it."""

import asyncio
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from bivelio_server.agents.errors import LimitReached
from bivelio_server.agents.masking import storable
from bivelio_server.agents.outcome import Outcome
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.ai.port import AI, Classified, Extracted, Label, NeedsGenerativeModel
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.text import fold

#: The intent of a text that is none of the labels, and what is suggested for it.
UNKNOWN: Final = "unknown"
_OF_UNKNOWN: Final = "route_to_person"
_WORD: Final = re.compile(r"\w+")


async def classify(
    ai: AI, agent: AgentDefinition, text: str, context: Mapping[str, Any], clock: Clock, outcome: Outcome
) -> None:
    """Raises IntegrationFailed: the model's own, LimitReached."""
    _begin(agent, text, clock, outcome)
    try:
        async with asyncio.timeout(agent.limits.seconds):
            found = await _classified(ai, agent, text, clock, outcome)
            schema = _entities_of(agent, found.label or UNKNOWN)
            entities = {} if schema is None else await _extracted(ai, text, schema, clock, outcome)
            entities |= _enumerated(text, context, schema or {}, entities)
    except TimeoutError:
        raise LimitReached("seconds", agent.limits.seconds) from None
    actions = {label.name: label.suggested_action for label in agent.labels}
    outcome.status = "completed"
    outcome.output = {
        "intent": found.label or UNKNOWN,
        "confidence": round(found.confidence, 4),
        "suggested_action": _OF_UNKNOWN if found.label is None else actions.get(found.label),
        "extracted_entities": {**entities, **_ids(context)},
    }


def _begin(agent: AgentDefinition, text: str, clock: Clock, outcome: Outcome) -> None:
    outcome.note(clock, "prompt", {"text": text, "labels": [label.name for label in agent.labels]})


async def _classified(ai: AI, agent: AgentDefinition, text: str, clock: Clock, outcome: Outcome) -> Classified:
    began = time.monotonic()
    labels = [Label(label.name, label.description, label.exemplars) for label in agent.labels]
    found = await ai.classify(text, labels)
    outcome.engine, outcome.model = found.engine, found.model
    _note(found, {"label": found.label, "scores": dict(found.scores)}, began, clock, outcome)
    return found


async def _extracted(ai: AI, text: str, schema: Mapping[str, Any], clock: Clock, outcome: Outcome) -> dict[str, Any]:
    """What is in the text; nothing where the engine reads none of it."""
    began = time.monotonic()
    try:
        found = await ai.extract(text, schema)
    except NeedsGenerativeModel:
        return {}
    entities = {name: storable(value) for name, value in found.data.items() if value is not None}
    _note(found, {"entities": entities}, began, clock, outcome)
    return entities


def _note(found: Classified | Extracted, said: Mapping[str, Any], began: float, clock: Clock, outcome: Outcome) -> None:
    outcome.usage += found.usage
    outcome.answers += 1
    outcome.note(clock, "model", {"engine": found.engine, "model": found.model, **said}, since=began)


def _entities_of(agent: AgentDefinition, intent: str) -> dict[str, Any] | None:
    """What the agent's schema says that `extracted_entities` are, without those that `x-intents` keeps for others."""
    schema = (agent.output_schema or {}).get("properties", {}).get("extracted_entities")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not properties:
        return None
    return {**schema, "properties": {name: one for name, one in properties.items() if _belongs(one, intent)}}


def _belongs(entity: Any, intent: str) -> bool:
    intents = entity.get("x-intents") if isinstance(entity, dict) else None
    return not isinstance(intents, list) or intent in intents


def _enumerated(
    text: str, context: Mapping[str, Any], schema: Mapping[str, Any], known: Mapping[str, Any]
) -> dict[str, Any]:
    """Of entities that are one of a few words, the only one that the text has and the context does not tell already."""
    words, told = set(_WORD.findall(fold(text))), {fold(value) for value in context.values() if isinstance(value, str)}
    found = {}
    for name, entity in schema.get("properties", {}).items():
        options = entity.get("enum") if isinstance(entity, dict) else None
        named = [one for one in options or () if isinstance(one, str) and fold(one) in words - told]
        if name not in known and len(named) == 1:
            found[name] = named[0]
    return found


def _ids(context: Mapping[str, Any]) -> dict[str, Any]:
    """What the context names: whoever goes on by the output needs it, too."""
    return {name: value for name, value in context.items() if name.endswith("_id") and isinstance(value, str | int)}
