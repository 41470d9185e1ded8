"""Passwords: argon2id at OWASP's parameters (19 MiB, two passes), off the event loop, two at a time."""

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

_hasher = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
_NOBODY = _hasher.hash("nobody signs in with this")


def hash_password(password: str) -> str:
    return _hasher.hash(password)


class PasswordCheck:
    """Verifies two passwords at a time; an unknown user costs as much as a known one."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter = anyio.CapacityLimiter(2)

    async def __call__(self, password: str, stored: str | None) -> bool:
        right = await run_sync(_hasher.verify, password, stored or _NOBODY, limiter=self._limiter)
        return right and stored is not None
