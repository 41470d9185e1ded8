"""How long to wait after failures."""

import random


def back_off(failures: int, *, first: float = 1.0, longest: float = 300.0) -> float:
    """Seconds: doubling from `first` to `longest`, less up to a half so that many do not come back at once."""
    ceiling = min(longest, first * 2.0 ** min(failures - 1, 32))
    return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
