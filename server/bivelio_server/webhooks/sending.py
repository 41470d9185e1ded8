"""One attempt at a delivery: sending the message, and naming what came of it."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from prometheus_client import Counter

from bivelio_server.kit.clock import Clock
from bivelio_server.kit.http import OutgoingError, OutgoingHttp, OutgoingResponse
from bivelio_server.webhooks.exchanges import MAX_BODY_BYTES, Exchange, keep
from bivelio_server.webhooks.messages import Message, signed_headers
from bivelio_server.webhooks.secrets import Signers

TIMEOUT_SECONDS: Final = 15.0
GONE: Final = "gone"

ATTEMPTS: Final = Counter(
    "bivelio_webhook_attempts_total",
    "Attempts at webhook deliveries by outcome: `delivered`, or the error.",
    ["outcome"],
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended. `error` is null when it was delivered; `retry_after` is what the receiver asked for."""

    ended_at: datetime
    duration_ms: int
    response_status: int | None
    error: str | None
    retry_after: timedelta | None = None
    exchange: Exchange | None = None


async def send(http: OutgoingHttp, clock: Clock, url: str, message: Message, signers: Signers) -> Outcome:
    """Every failure to deliver is an outcome; nothing is raised."""
    started = time.monotonic()
    headers = signed_headers(message, signers, clock.outside())
    try:
        response = await http.request(
            "POST", url, headers=headers, content=message.body,
            timeout=TIMEOUT_SECONDS, max_response_bytes=MAX_BODY_BYTES, follow_redirects=0, provider="webhook",
        )  # fmt: skip
    except OutgoingError as error:
        duration_ms = round((time.monotonic() - started) * 1000)
        outcome = Outcome(clock.now(), duration_ms, None, error.code, exchange=keep(url, headers, None))
    else:
        outcome = _judge(response, clock, keep(url, headers, response))
    ATTEMPTS.labels(outcome.error or "delivered").inc()
    return outcome


def _judge(response: OutgoingResponse, clock: Clock, exchange: Exchange) -> Outcome:
    error = _error(response.status)
    retry_after = response.retry_after(clock.outside()) if error else None
    return Outcome(clock.now(), response.duration_ms, response.status, error, retry_after, exchange)


def _error(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return "redirected"
    return GONE if status == 410 else "rejected"
