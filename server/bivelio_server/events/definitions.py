"""What an event is: its name and what its `data` holds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bivelio_server.kit.models import Output
from bivelio_server.kit.text import Text

EventName = Literal[
    "workflow.completed",
    "workflow.failed",
    "approval.requested",
    "approval.decided",
    "message.received",
    "message.sent",
    "contact.created",
    "contact.updated",
    "invoice.created",
    "invoice.paid",
    "case.created",
    "case.updated",
    "agent.executed",
    "document.processed",
    "key.expiring",
    "box.file_ready",
    "box.file_failed",
]


@dataclass(frozen=True, slots=True)
class EventDefinition:
    """Declared by the feature that records it; `data` is what its `get` would return, `sample` an example of it."""

    name: EventName
    data: type[Output]
    summary: Text
    sample: Output


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event in the transaction that caused it. `depth` counts the causes behind it."""

    id: str
    name: str
    occurred_at: datetime
    data: Mapping[str, Any]
    depth: int


class EventCatalogue:
    """The events of the product, by name."""

    def __init__(self, definitions: Iterable[EventDefinition]) -> None:
        self._by_name: dict[str, EventDefinition] = {definition.name: definition for definition in definitions}

    def __iter__(self) -> Iterator[EventDefinition]:
        return iter(self._by_name.values())

    @property
    def by_name(self) -> Mapping[str, EventDefinition]:
        return self._by_name
