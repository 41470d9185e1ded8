"""Intelligence units: what a search costs, by whichever door. So many a month, never below zero, however many search at
once; in the sandbox they are counted and nothing is deducted.
"""

from typing import Any, Final

from prometheus_client import Counter

from bivelio_server.boxes import queries
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import CreditsExhausted
from bivelio_server.kit.text import Text

#: What one search costs.
PER_SEARCH: Final = 1

UNITS: Final = Counter(
    "bivelio_box_units_total",
    "Intelligence units by what became of them: `spent` or `refused`.",
    ["outcome", "environment"],
)


class UnitsExhausted(CreditsExhausted):
    """The month's units do not suffice. `details`: what is needed, what is available, when the next month begins."""

    text = Text(
        "No quedan unidades de inteligencia este mes.", "This month's intelligence units are used up."
    )  # fmt: skip


async def require_unit(context: Context) -> None:
    """A look before the work is done. Raises UnitsExhausted."""
    present = await queries.present_units(context)
    if present.remaining < PER_SEARCH:
        raise _exhausted(context, present)


async def spend_unit(context: Context) -> None:
    """Take a unit with the transaction of the answer: whatever fails in it spends none. Do so last, as whoever else of
    the organisation searches waits from then on. Raises UnitsExhausted."""
    if not await queries.take_unit(context):
        raise _exhausted(context, await queries.present_units(context))
    UNITS.labels("spent", context.caller.environment.value).inc(PER_SEARCH)


def _exhausted(context: Context, present: Any) -> UnitsExhausted:
    UNITS.labels("refused", context.caller.environment.value).inc(PER_SEARCH)
    shortage = {"needed": PER_SEARCH, "available": present.remaining, "resets_at": present.resets_at}
    return UnitsExhausted(details=shortage)
