"""Operations of features that are still to come, with the shapes that the API has announced for them."""

from decimal import Decimal
from typing import Any, Final

from bivelio_server.app import FEATURES
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.models import Id, Input, Output
from bivelio_server.kit.operations import Catalogue, Effect, Feature
from bivelio_server.kit.text import Text

_SUMMARY: Final = Text("Por venir", "To come")
documents, invoices, messages = Feature("documents"), Feature("invoices"), Feature("messages")


class MessageBody(Input):
    type: str
    body: str


class MessageSend(Input):
    channel: str
    to: str
    message: MessageBody


class DocumentClassify(Input):
    document_url: str
    categories: list[str]


class DocumentExtract(Input):
    document_url: str
    document_type: str
    fields: list[str]


class LineItem(Input):
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal


class InvoiceCreate(Input):
    client_id: Id
    line_items: list[LineItem]


class Anything(Output):
    answer: Any


class DocumentClassified(Output):
    classification: str
    confidence: Decimal


class DocumentExtracted(Output):
    document_type: str
    confidence: Decimal
    extracted: dict[str, Any]


@messages.operation("send", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def send(_context: Context, data: MessageSend) -> Anything:
    return Anything(answer=data.to)


@documents.operation("classify", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def classify(_context: Context, data: DocumentClassify) -> DocumentClassified:
    return DocumentClassified(classification=data.categories[0], confidence=Decimal("0.9"))


@documents.operation("extract", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def extract(_context: Context, data: DocumentExtract) -> DocumentExtracted:
    return DocumentExtracted(document_type=data.document_type, confidence=Decimal("0.9"), extracted={})


@invoices.operation("create", scope=Scope.write, effect=Effect.transactional, summary=_SUMMARY)
async def create(_context: Context, data: InvoiceCreate) -> Anything:
    return Anything(answer=data.client_id)


EVERYTHING: Final = Catalogue([*FEATURES, documents, invoices, messages])
TODAY: Final = Catalogue(FEATURES)
