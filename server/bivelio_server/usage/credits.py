"""The ledger of credits: taken by month and organisation, never below zero, however many take at once.

An operation of one transaction spends its credits with its effect. One that calls the outside reserves them before the
call, by a lease, and settles or refunds them after it; what a crash leaves behind is refunded when its lease has ended.
In the sandbox everything is written down and nothing is deducted.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from prometheus_client import Counter

from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import CreditsExhausted
from bivelio_server.kit.ids import new_id

#: Longer than any call to the outside takes.
LEASE: Final = timedelta(minutes=15)
_TAKE: Final = """
    select granted, available, resets_at
      from take_credits(%(id)s, %(operation)s, %(amount)s, %(actor)s, %(key_id)s, %(request_id)s, %(cause)s, %(now)s,
                        %(lease_until)s)
"""
_SETTLE: Final = "select settle_credits(%(id)s, %(amount)s)"
_REFUND: Final = "select refund_credits(%(id)s)"
_REFUND_LAPSED: Final = "select refund_lapsed_credits(%s, %s)"
_BATCH: Final = 500

CREDITS: Final = Counter(
    "bivelio_credits_total",
    "Credits by what became of them: `spent`, or `reserved` and then `settled` unless refunded, or `refused`.",
    ["outcome", "environment"],
)


class Ledger:
    """A `CreditLedger` in the database."""

    async def spend(self, context: Context, operation: str, amount: int) -> None:
        await _take(context, new_id("cr"), operation, amount, None)
        _count(context, "spent", amount)

    async def reserve(self, context: Context, operation: str, amount: int, *, reservation_id: str | None = None) -> str:
        entry_id = reservation_id or new_id("cr")
        await _take(context, entry_id, operation, amount, context.now + LEASE)
        _count(context, "reserved", amount)
        return entry_id

    async def settle(self, context: Context, reservation_id: str, amount: int) -> None:
        await context.session.run(_SETTLE, {"id": reservation_id, "amount": amount})
        _count(context, "settled", amount)

    async def refund(self, context: Context, reservation_id: str) -> None:
        await context.session.run(_REFUND, {"id": reservation_id})


async def refund_lapsed(services: Services) -> int:
    """Refund the reservations whose lease has ended, of all organisations; how many there were."""
    refunded = 0
    while True:
        row = await services.database.call(_REFUND_LAPSED, (services.clock.now(), _BATCH))
        assert row is not None
        batch: int = row[0]
        refunded += batch
        if batch < _BATCH:
            return refunded


async def _take(context: Context, entry_id: str, operation: str, amount: int, lease_until: datetime | None) -> None:
    await context.session.flush_changes()
    [row] = await context.session.run(
        _TAKE,
        {
            "id": entry_id,
            "operation": operation,
            "amount": amount,
            "actor": context.caller.actor,
            "key_id": context.caller.key_id,
            "request_id": context.origin.request_id,
            "cause": context.cause.origin,
            "now": context.now,
            "lease_until": lease_until,
        },
    )
    if not row.granted:
        _count(context, "refused", amount)
        raise CreditsExhausted(details=_shortage(amount, row))


def _count(context: Context, outcome: str, amount: int) -> None:
    CREDITS.labels(outcome, context.caller.environment.value).inc(amount)


def _shortage(amount: int, row: Any) -> dict[str, Any]:
    return {"needed": amount, "available": row.available, "resets_at": row.resets_at}
