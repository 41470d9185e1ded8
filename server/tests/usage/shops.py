"""A feature whose operations cost credits, for tests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

from bivelio_server.app import FEATURES
from bivelio_server.contacts import operations as contacts
from bivelio_server.contacts.schemas import ContactCreate
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context, OutgoingCall, Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import Catalogue, Effect, Feature
from bivelio_server.kit.text import Text

SUMMARY = Text("Compra", "Buy")
PRICE = 3


class Purchase(Input):
    """`charged` is what the operation charges in the end, instead of what it declares."""

    charged: int | None = None


class Receipt(Output):
    credits_consumed: int


class Order(Output):
    charged: int | None


Event = Callable[[], Awaitable[None]]


@dataclass
class Shop:
    """`shop.buy` needs one transaction, `shop.order` calls the outside; `on_…` is what happens at the n-th time."""

    on_handle: list[Event] = field(default_factory=list)
    on_call: list[Event] = field(default_factory=list)
    on_record: list[Event] = field(default_factory=list)
    handled: int = 0
    called: int = 0
    recorded: int = 0
    BUY: ClassVar = {"id": "buy", "uses": "shop.buy", "with": {}}
    ORDER: ClassVar = {"id": "order", "uses": "shop.order", "with": {}}

    def services(self, services: Services) -> Services:
        return replace(services, catalogue=Catalogue((*FEATURES, self.feature())))

    def feature(self) -> Feature:
        feature = Feature("shop")

        @feature.operation("buy", scope=Scope.write, effect=Effect.transactional, credits=PRICE, summary=SUMMARY)
        async def buy(context: Context, data: Purchase) -> Receipt:
            await contacts.create(context, ContactCreate(name="bought"))
            if data.charged is not None:
                context.charge(data.charged)
            self.handled += 1
            await _next(self.on_handle, self.handled)
            return Receipt(credits_consumed=context.credits)

        feature.external(
            "order", scope=Scope.write, summary=SUMMARY, credits=PRICE, prepare=self._prepare, perform=self._perform,
            record=self._record, record_failure=self._record_failure,
        )  # fmt: skip
        return feature

    async def _prepare(self, context: Context, data: Purchase) -> Order:
        return Order(charged=data.charged)

    async def _perform(self, call: OutgoingCall, order: Order) -> str:
        self.called += 1
        await _next(self.on_call, self.called)
        return "sent"

    async def _record(self, context: Context, order: Order, outcome: str) -> Receipt:
        if order.charged is not None:
            context.charge(order.charged)
        self.recorded += 1
        await _next(self.on_record, self.recorded)
        return Receipt(credits_consumed=context.credits)

    async def _record_failure(self, context: Context, order: Order, error: IntegrationFailed) -> None: ...


async def nothing() -> None: ...


def until_set(event: asyncio.Event) -> Event:
    async def waiting() -> None:
        await event.wait()

    return waiting


async def _next(scripted: list[Event], number: int) -> None:
    if number <= len(scripted):
        await scripted[number - 1]()
