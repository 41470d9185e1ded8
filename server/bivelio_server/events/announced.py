"""Events of features that are still to come: their payloads are settled, so receivers can be written for them."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final, Literal

from pydantic import ConfigDict, Field

from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.models import Output
from bivelio_server.kit.text import Text

Channel = Literal["whatsapp", "telegram", "email"]


class MessageBody(Output):
    type: str
    body: str


class Message(Output):
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    id: str
    channel: Channel
    direction: Literal["inbound", "outbound"]
    sender: str = Field(alias="from")
    to: str
    message: MessageBody
    status: str
    sent_at: datetime


class InvoiceClient(Output):
    id: str
    name: str


class InvoiceLine(Output):
    description: str
    quantity: Decimal
    unit_price: Decimal
    tax_rate: Decimal
    total: Decimal


class Invoice(Output):
    id: str
    number: str
    type: Literal["issued", "received"]
    status: str
    client: InvoiceClient
    subtotal: Decimal
    tax: Decimal
    total: Decimal
    currency: str
    issue_date: date
    due_date: date
    line_items: list[InvoiceLine]


class Case(Output):
    id: str
    title: str
    status: str
    contact_id: str | None
    created_at: datetime
    updated_at: datetime


_AT: Final = datetime(2026, 4, 7, 12, 20, tzinfo=UTC)
_SENT: Final = Message(
    id="msg_v1w2x3y4",
    channel="whatsapp",
    direction="outbound",
    sender="+34 600 000 000",
    to="+34 612 345 678",
    message=MessageBody(type="text", body="Hola, tu pedido ha sido procesado correctamente."),
    status="sent",
    sent_at=_AT,
)
_RECEIVED: Final = Message(
    id="msg_a2b3c4d5",
    channel="whatsapp",
    direction="inbound",
    sender="+34 612 345 678",
    to="+34 600 000 000",
    message=MessageBody(type="text", body="Perfecto, gracias!"),
    status="received",
    sent_at=_AT,
)
_INVOICE: Final = Invoice(
    id="inv_c6d7e8f9",
    number="FAC-2026-042",
    type="issued",
    status="pending",
    client=InvoiceClient(id="ct_abc123", name="Empresa ABC S.L."),
    subtotal=Decimal("5000.00"),
    tax=Decimal("1050.00"),
    total=Decimal("6050.00"),
    currency="EUR",
    issue_date=date(2026, 4, 1),
    due_date=date(2026, 4, 30),
    line_items=[
        InvoiceLine(
            description="Licencia BiVelio Pro - Abril 2026",
            quantity=Decimal(10),
            unit_price=Decimal("500.00"),
            tax_rate=Decimal(21),
            total=Decimal("6050.00"),
        )
    ],
)
_CASE: Final = Case(
    id="case_h4i5j6k7",
    title="Reclamación de Empresa ABC",
    status="open",
    contact_id="ct_abc123",
    created_at=_AT,
    updated_at=_AT,
)
EVENTS: Final = (
    EventDefinition(
        "message.received", Message, Text("Se ha recibido un mensaje", "A message has been received"), _RECEIVED
    ),
    EventDefinition("message.sent", Message, Text("Se ha enviado un mensaje", "A message has been sent"), _SENT),
    EventDefinition(
        "invoice.created", Invoice, Text("Se ha creado una factura", "An invoice has been created"), _INVOICE
    ),
    EventDefinition(
        "invoice.paid",
        Invoice,
        Text("Una factura se ha marcado como pagada", "An invoice has been marked as paid"),
        _INVOICE.model_copy(update={"status": "paid"}),
    ),
    EventDefinition("case.created", Case, Text("Se ha creado un caso", "A case has been created"), _CASE),
    EventDefinition("case.updated", Case, Text("Se ha actualizado un caso", "A case has been updated"), _CASE),
)
