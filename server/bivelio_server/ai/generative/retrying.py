"""When a provider that failed is asked again."""

import asyncio
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from bivelio_server.ai.generative.failures import ProviderFailed

_RANDOM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Retries:
    """`attempts` in all, the first included. Waits double from `base_seconds`, each cut at random, so that callers who
    failed together do not come back together."""

    attempts: int = 3
    base_seconds: float = 1.0
    longest_seconds: float = 20.0


class Patience:
    """What is left of one call's attempts and time."""

    def __init__(self, retries: Retries, seconds: float) -> None:
        self._retries = retries
        self._failures = 0
        self._deadline = asyncio.get_running_loop().time() + seconds

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._deadline - asyncio.get_running_loop().time())

    async def wait_after(self, failure: ProviderFailed) -> None:
        """Wait until the provider may be asked again. Raises the failure when it may not."""
        self._failures += 1
        wait = self._wait_of(failure)
        too_long = wait >= self.seconds_left or (failure.wait_seconds or 0) > self._retries.longest_seconds
        if self._failures >= self._retries.attempts or too_long:
            raise failure
        await asyncio.sleep(wait)

    def _wait_of(self, failure: ProviderFailed) -> float:
        longest = min(self._retries.longest_seconds, self._retries.base_seconds * 2 ** (self._failures - 1))
        # What the provider asks for is the least; nobody waits less than half of ours.
        return (failure.wait_seconds or longest / 2) + _RANDOM.uniform(0, longest / 2)
