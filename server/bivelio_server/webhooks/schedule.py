"""When a failed delivery is tried again."""

import random
from datetime import timedelta
from typing import Final

DELAYS: Final = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
#: The failure that is a delivery's last.
MAX_FAILURES: Final = len(DELAYS) + 1
JITTER: Final = 0.1
_LONGEST_WISH: Final = timedelta(hours=1)


def delay_after(failures: int, retry_after: timedelta | None) -> timedelta:
    """How long to wait after the given failure (1 to 4): never less than printed, and as long as the receiver asks."""
    delay = DELAYS[min(failures, len(DELAYS)) - 1] * (1 + random.random() * JITTER)  # noqa: S311 - no secret
    return max(delay, min(retry_after, _LONGEST_WISH)) if retry_after else delay
