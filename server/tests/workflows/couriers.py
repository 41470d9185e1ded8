"""A feature that calls the outside, for tests: sends parcels, and notes what it was asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

from bivelio_server.contacts import operations as contacts
from bivelio_server.contacts.schemas import ContactCreate
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import Feature
from bivelio_server.kit.text import Text


class ParcelSend(Input):
    to: str


class Prepared(Output):
    """`number` counts the preparations, so that a repeated one would show."""

    to: str
    number: int


class Sent(Output):
    to: str
    number: int
    receipt: str


async def arrives() -> None: ...


@dataclass
class Courier:
    """`on_call` is what happens at the first, second, … call; later calls succeed. Each part leaves a contact."""

    keys: list[str] = field(default_factory=list)
    prepared: int = 0
    on_call: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    on_record: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    recorded: int = 0
    STEP: ClassVar = {"id": "send", "uses": "parcels.send", "with": {"to": "{{ input.to }}"}}

    def feature(self) -> Feature:
        feature = Feature("parcels")
        feature.external(
            "send", scope=Scope.write, summary=Text("Envía", "Send"), prepare=self._prepare, perform=self._perform,
            record=self._record, record_failure=self._record_failure,
        )  # fmt: skip
        return feature

    async def _prepare(self, context: Context, data: ParcelSend) -> Prepared:
        self.prepared += 1
        await _note(context, "prepared")
        return Prepared(to=data.to, number=self.prepared)

    async def _perform(self, call: OutgoingCall, prepared: Prepared) -> str:
        self.keys.append(call.idempotency_key)
        await _next(self.on_call, len(self.keys))
        return f"receipt {len(self.keys)}"

    async def _record(self, context: Context, prepared: Prepared, outcome: str) -> Sent:
        self.recorded += 1
        await _note(context, "recorded")
        await _next(self.on_record, self.recorded)
        return Sent(to=prepared.to, number=prepared.number, receipt=outcome)

    async def _record_failure(self, context: Context, prepared: Prepared, error: IntegrationFailed) -> None:
        await _note(context, f"failed {type(error).__name__}")


async def _next(scripted: list[Callable[[], Awaitable[None]]], number: int) -> None:
    if number <= len(scripted):
        await scripted[number - 1]()


async def _note(context: Context, name: str) -> None:
    await contacts.create(context, ContactCreate(name=name))
