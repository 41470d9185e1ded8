"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost."""

import base64
import hashlib
import re
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID

import pyotp
from pyotp.utils import strings_equal

from bivelio_server.accounts.throttle import forgive_code, throttle_code
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import NotAuthenticated
from bivelio_server.kit.text import Text

RECOVERY_CODES: Final = 10
_ISSUER: Final = "BiVelio"
_STEP_SECONDS: Final = 30
#: A clock may be wrong by one step.
_WINDOW: Final = (-1, 0, 1)
_TOTP: Final = re.compile(r"[0-9]{6}")
_RECOVERY_BYTES: Final = 10


def new_totp_secret() -> str:
    return pyotp.random_base32()


def provisioning_uri(secret: str, email: str) -> str:
    """What an authenticator app reads from a QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=_ISSUER)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is, among those near now."""
    totp, here = pyotp.TOTP(secret), int(now.timestamp()) // _STEP_SECONDS
    steps = (here + offset for offset in _WINDOW)
    return next((step for step in steps if strings_equal(totp.generate_otp(step), _plain(code))), None)


def new_recovery_codes() -> list[str]:
    """Each of 80 random bits, as `abcd-efgh-ijkl-mnop`."""
    return [_grouped(base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()) for _ in range(RECOVERY_CODES)]


def recovery_digest(code: str) -> bytes:
    return hashlib.sha256(_plain(code).encode()).digest()


def place_of(user_id: UUID) -> str:
    """The row that a sealed secret is bound to."""
    return f"users.second_factor_secret:{user_id}"


async def require_second_factor(services: Services, user_id: UUID, sealed: bytes | None, code: str | None) -> None:
    """Prove the second factor of a person who uses one; a code works once. Raises NotAuthenticated, TooManyRequests.

    Call it only after the first factor was right: that there is a second one is nobody else's business.
    """
    if sealed is None:
        return
    if code is None:
        raise NotAuthenticated(_REQUIRED, details={"second_factor": "required"})
    await throttle_code(services, user_id)
    if not await _take(services, user_id, sealed, code):
        raise NotAuthenticated(_WRONG, details={"second_factor": "invalid"})
    await forgive_code(services, user_id)


async def _take(services: Services, user_id: UUID, sealed: bytes, code: str) -> bool:
    now = services.clock.outside()
    if _TOTP.fullmatch(_plain(code)):
        step = matching_step(services.cipher.decrypt(sealed, row=place_of(user_id)), code, now)
        return step is not None and await _is_new(services, "take_second_factor_step(%s, %s)", user_id, step)
    return await _is_new(services, "take_recovery_code(%s, %s, %s)", user_id, recovery_digest(code), now)


async def _is_new(services: Services, call: str, *parameters: object) -> bool:
    row = await services.database.call(f"select {call}", parameters)
    return row is not None and bool(row[0])


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _grouped(code: str) -> str:
    return "-".join(code.lower()[start : start + 4] for start in range(0, len(code), 4))


_REQUIRED: Final = Text(
    "Falta el código de tu segundo factor ('code').", "The code of your second factor ('code') is missing."
)
_WRONG: Final = Text("El código no es correcto o ya se ha usado.", "The code is not right, or was used already.")
