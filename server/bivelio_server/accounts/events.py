"""The event of keys."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from bivelio_server.accounts.schemas import APIKeyView
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text

_SAMPLE: Final = APIKeyView(
    id="key_b2c3d4e5",
    name="Integración ERP",
    type="secret",
    environment="live",
    scopes=["contacts:write"],
    allowed_origins=[],
    api_version="2026-04-07",
    prefix="bv_live_sk_",
    last4="9xQz",
    created_by=UUID("550e8400-e29b-41d4-a716-446655440000"),
    created_by_key=None,
    created_at=datetime(2026, 4, 7, 12, 0, tzinfo=UTC),
    expires_at=datetime(2026, 7, 6, 12, 0, tzinfo=UTC),
    last_used_at=datetime(2026, 6, 29, 11, 58, tzinfo=UTC),
    last_used_address="203.0.113.7",
    rotation=None,
    rotated_from=None,
    version=1,
    revoked_at=None,
)
EXPIRING: Final = EventDefinition(
    "key.expiring", APIKeyView, Text("Una clave de API caduca pronto", "An API key expires soon"), _SAMPLE
)
EVENTS: Final = (EXPIRING,)
