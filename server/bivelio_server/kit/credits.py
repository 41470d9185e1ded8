"""What the execution of operations needs to know of credits; `usage` keeps the ledger."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bivelio_server.kit.context import Context


class CreditLedger(Protocol):
    """Every call belongs to the transaction of its context. `operation` is a name, amounts are whole credits."""

    async def spend(self, context: "Context", operation: str, amount: int) -> None:
        """Take credits for good. Raises CreditsExhausted."""

    async def reserve(
        self, context: "Context", operation: str, amount: int, *, reservation_id: str | None = None
    ) -> str:
        """Set credits aside until they are settled or refunded, or their lease ends; the reservation's id.

        Under an id that exists the lease is extended, and what was refunded is reserved again: reserving twice is
        reserving once. Raises CreditsExhausted.
        """

    async def settle(self, context: "Context", reservation_id: str, amount: int) -> None:
        """Take what was reserved, or less; the rest is free again. Settling twice is settling once."""

    async def refund(self, context: "Context", reservation_id: str) -> None:
        """Set a reservation free, if it was not settled."""
