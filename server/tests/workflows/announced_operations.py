"""Operations of features that are still to come, with the shapes that the API has announced for them."""

from decimal import Decimal
from typing import Final

from bivelio_server.app import FEATURES
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.models import Id, Input, Output
from bivelio_server.kit.operations import Catalogue, Effect, Feature
from bivelio_server.kit.text import Text

_SUMMARY: Final = Text("Por venir", "To come")
invoices, messages = Feature("invoices"), Feature("messages")


class MessageBody(Input):
    type: str
    body: str


class MessageSend(Input):
    channel: str
    to: str
    message: MessageBody


class LineItem(Input):
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal


class InvoiceCreate(Input):
    client_id: Id
    line_items: list[LineItem]


class SentMessage(Output):
    message_id: str
    to: str


class Invoice(Output):
    id: str


@messages.operation("send", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def send(context: Context, data: MessageSend) -> SentMessage:
    SENT.append((data.to, data.message.body))
    return SentMessage(message_id="msg_1", to=data.to)


@invoices.operation("create", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def create(context: Context, data: InvoiceCreate) -> Invoice:
    return Invoice(id=data.client_id)


#: The messages that were sent: to whom, and what.
SENT: Final[list[tuple[str, str]]] = []
EVERYTHING: Final = Catalogue([*FEATURES, invoices, messages])
TODAY: Final = Catalogue(FEATURES)
