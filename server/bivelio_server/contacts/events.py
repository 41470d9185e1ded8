"""The events of contacts."""

from datetime import UTC, datetime
from typing import Final

from bivelio_server.contacts.schemas import Contact
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text

_SAMPLE: Final = Contact(
    id="ct_def456",
    type="person",
    name="Maria Garcia",
    email="maria@ejemplo.com",
    phone="+34 600 111 222",
    phone_e164="+34600111222",
    company_id="ct_abc123",
    tags=["cliente", "activo"],
    custom_fields={"source": "website", "interest": "plan_enterprise"},
    version=1,
    created_at=datetime(2026, 4, 7, 12, 10, tzinfo=UTC),
    updated_at=datetime(2026, 4, 7, 12, 10, tzinfo=UTC),
    deleted_at=None,
)
CREATED: Final = EventDefinition(
    "contact.created", Contact, Text("Se ha creado un contacto", "A contact has been created"), _SAMPLE
)
UPDATED: Final = EventDefinition(
    "contact.updated", Contact, Text("Se ha actualizado un contacto", "A contact has been updated"), _SAMPLE
)
EVENTS: Final = (CREATED, UPDATED)
