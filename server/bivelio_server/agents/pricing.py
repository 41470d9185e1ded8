"""What an invocation costs, by what is known before it: how long its text and context are."""

from typing import Final

#: The most that one invocation costs.
MOST: Final = 5
#: Credits by the characters of text and context together, up to these many.
_STAIRS: Final = ((1, 1_000), (2, 4_000), (3, 12_000), (4, 30_000))


def price_of(text: str, context: str) -> int:
    """Credits; `context` as JSON, empty where there is none."""
    length = len(text) + len(context)
    return next((price for price, longest in _STAIRS if length <= longest), MOST)
