"""A key as its organisation sees it."""

from datetime import datetime
from math import ceil
from typing import Any

from bivelio_server.accounts.models import APIKey
from bivelio_server.accounts.schemas import APIKeyView, KeyRotation


def view(row: APIKey, now: datetime) -> APIKeyView:
    return APIKeyView.model_validate(fields(row, now))


def fields(row: APIKey, now: datetime) -> dict[str, Any]:
    """What the view of a key holds, for models that add to it."""
    shown = {name: getattr(row, name) for name in APIKeyView.model_fields if name != "rotation"}
    return {**shown, "rotation": _rotation(row, now)}


def _rotation(row: APIKey, now: datetime) -> KeyRotation | None:
    if row.retires_at is None:
        return None
    left = max(0, ceil((row.retires_at - now).total_seconds()))
    return KeyRotation(successor_id=row.successor_id, retires_at=row.retires_at, seconds_left=left)
