"""Passwords: argon2id at OWASP's parameters (19 MiB, two passes), off the event loop, two at a time."""

from typing import Annotated, Final

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import Field

from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.text import Text

_hasher = PasswordHash((Argon2Hasher(time_cost=2, memory_cost=19 * 1024, parallelism=1),))
# Of no password that anybody has, at the parameters above; to make it took each process that starts a while.
_NOBODY: Final = "$argon2id$v=19$m=19456,t=2,p=1$YPSEcQv2jwrx9YV3IZBhmg$VCyE9+IL+GS/JyZ6PbbD4CC+28CnwZwZy0ecRb7CsHg"
#: What is kept of somebody who signs in with a provider only: no password has this hash.
NO_PASSWORD: Final = ""

Password = Annotated[str, Field(max_length=1024)]
NewPassword = Annotated[str, Field(min_length=10, max_length=1024, examples=["correct horse battery staple"])]


def hash_password(password: str) -> str:
    return _hasher.hash(password)


class PasswordCheck:
    """Verifies two passwords at a time; an unknown user, or one without a password, costs as much as a known one."""

    def __init__(self) -> None:
        self._limiter: CapacityLimiter = anyio.CapacityLimiter(2)

    async def __call__(self, password: str, stored: str | None) -> bool:
        right = await run_sync(_hasher.verify, password, stored or _NOBODY, limiter=self._limiter)
        return right and bool(stored)

    async def hashed(self, password: str) -> str:
        """A new password as it is kept."""
        return await run_sync(_hasher.hash, password, limiter=self._limiter)


def refuse_weak(password: str, email: str, field: str) -> None:
    """Raises Impossible when the password is the address that it goes with."""
    if password.strip().lower() in (email.lower(), email.lower().partition("@")[0]):
        raise Impossible(Problem(field, "not_email", _NOT_THE_EMAIL))


_NOT_THE_EMAIL: Final = Text("La contraseña no puede ser tu correo.", "The password cannot be your e-mail.")
