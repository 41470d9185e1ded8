"""Executions whose process has died end as failed; what they had reserved is refunded by the ledger."""

from datetime import timedelta
from typing import Final

from bivelio_server.durable import Chore
from bivelio_server.kit import json
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.kit.text import DEFAULT_LANGUAGE, Text

#: Longer than any execution takes, with the tools that it uses: `schemas.MAX_SECONDS`.
LOST_AFTER: Final = timedelta(minutes=5)
_END: Final = "select end_lost_agent_executions(%s, %s, %s)"


async def end_lost(services: Services) -> int:
    """How many there were, of all organisations."""
    now, error = services.clock.now(), IntegrationFailed(_LOST)
    kept = {**error.render(DEFAULT_LANGUAGE), "message_en": error.text.en}
    row = await services.database.call(_END, (now - LOST_AFTER, now, json.dumps(kept).decode()))
    assert row is not None
    return int(row[0])


CHORE: Final = Chore("agents", timedelta(minutes=5), end_lost)
_LOST: Final = Text(
    "El servidor se detuvo antes de que terminara esta ejecución.", "The server stopped before this execution ended."
)
