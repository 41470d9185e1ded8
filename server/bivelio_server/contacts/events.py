"""The events of contacts."""

from typing import Final

from bivelio_server.contacts.schemas import Contact
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text

CREATED: Final = EventDefinition(
    "contact.created", Contact, Text("Se ha creado un contacto", "A contact has been created")
)
UPDATED: Final = EventDefinition(
    "contact.updated", Contact, Text("Se ha actualizado un contacto", "A contact has been updated")
)
EVENTS: Final = (CREATED, UPDATED)
