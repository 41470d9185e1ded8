"""Intelligence units: what a search costs, by whichever door."""

from typing import Final

from bivelio_server.kit.context import Context

#: What one search costs.
PER_SEARCH: Final = 1


async def require_unit(context: Context) -> None:
    """A look before the work is done."""


async def spend_unit(context: Context) -> None:
    """Take a unit with the transaction of the answer: whatever fails in it spends none."""
