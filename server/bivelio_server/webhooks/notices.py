"""What the organisation's owners are told about an endpoint."""

from datetime import datetime
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.text import Text
from bivelio_server.notices.recording import notify
from bivelio_server.webhooks.schemas import DisabledReason

_REASONS: Final[dict[DisabledReason, Text]] = {
    "attempts_exhausted": Text("un mensaje falló cinco veces", "one message failed five times"),
    "gone": Text("respondió 410", "it answered 410"),
    "continuous_failure": Text("lleva 120 horas fallando", "it has failed for 120 hours"),
}
_DISABLED: Final = Text(
    "El webhook de {host} se ha desactivado: {reason}. Lo pendiente se conserva; actívalo de nuevo para entregarlo.",
    "The webhook at {host} has been disabled: {reason}. What is pending stays; enable it again to deliver it.",
)


async def notify_disabled(
    session: Transaction,
    *,
    org_id: UUID,
    environment: Environment,
    webhook_id: str,
    url: str,
    reason: DisabledReason,
    now: datetime,
) -> None:
    because, host = _REASONS[reason], urlsplit(url).hostname
    text = Text(
        _DISABLED.es.format(host=host, reason=because.es),
        _DISABLED.en.format(host=host, reason=because.en),
    )
    await notify(
        session, org_id=org_id, environment=environment, kind="webhook.disabled", resource_id=webhook_id, text=text,
        details={"webhook_id": webhook_id, "url": url, "reason": reason}, now=now,
    )  # fmt: skip
