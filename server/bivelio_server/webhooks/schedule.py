"""When a failed delivery is tried again, and when an endpoint has failed for too long."""

import random
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

DELAYS: Final = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
#: The failure that is a delivery's last.
MAX_FAILURES: Final = len(DELAYS) + 1
JITTER: Final = 0.1
#: How long a patiently watched endpoint may fail without a success.
PATIENCE: Final = timedelta(hours=120)
_LONGEST_WISH: Final = timedelta(hours=1)


def delay_after(failures: int, retry_after: timedelta | None) -> timedelta:
    """How long to wait after the given failure (1 to 4): never less than printed, and as long as the receiver asks."""
    delay = DELAYS[min(failures, len(DELAYS)) - 1] * (1 + random.random() * JITTER)  # noqa: S311 - no secret
    return max(delay, min(retry_after, _LONGEST_WISH)) if retry_after else delay


def failing_since(
    before: datetime | None, last_failed_at: datetime | None, outcomes: Iterable[tuple[datetime, bool]]
) -> datetime | None:
    """When an endpoint's present streak of failures began, after these `outcomes` (when, and whether it was good).

    `before` is when it began until now, if one lasts, and `last_failed_at` its latest failure. A success ends a streak,
    and so does a silence as long as the patience: what failed before it tells nothing of the days in between.
    """
    since, last = before, last_failed_at
    for at, good in sorted(outcomes):
        if good:
            since = None
        elif since is None or (last is not None and at - last >= PATIENCE):
            since = at
        last = at
    return since
