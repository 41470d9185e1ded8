"""What slows down who guesses: token buckets in the database, asked before anything is checked."""

import hashlib
from typing import Final
from uuid import UUID

from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import TooManyRequests

#: Attempts at once from one address (an office, a proxy), and at one account; then one every so many seconds.
_ADDRESS_CAPACITY: Final = 100
_ACCOUNT_CAPACITY: Final = 20
_REFILL_SECONDS: Final = 15
#: A code has six digits and three of them are right at any time, so it may be guessed far less often.
_CODE_CAPACITY: Final = 5
_CODE_REFILL_SECONDS: Final = 60


async def throttle_address(services: Services, address: str) -> None:
    """Raises TooManyRequests."""
    await _take(services, [_subject("address", address)], [_ADDRESS_CAPACITY], _REFILL_SECONDS)


async def throttle_sign_in(services: Services, address: str, email: str) -> None:
    """Raises TooManyRequests."""
    subjects = [_subject("address", address), _account(email)]
    await _take(services, subjects, [_ADDRESS_CAPACITY, _ACCOUNT_CAPACITY], _REFILL_SECONDS)


async def throttle_account(services: Services, email: str) -> None:
    """For who guesses the password of the session that he has got hold of. Raises TooManyRequests."""
    await _take(services, [_account(email)], [_ACCOUNT_CAPACITY], _REFILL_SECONDS)


async def throttle_code(services: Services, user_id: UUID) -> None:
    """Raises TooManyRequests."""
    await _take(services, [_code(user_id)], [_CODE_CAPACITY], _CODE_REFILL_SECONDS)


async def forgive(services: Services, email: str) -> None:
    """Forget the wrong passwords before a right one."""
    await services.database.call("select forgive_sign_in_attempts(%s)", ([_account(email)],))


async def forgive_code(services: Services, user_id: UUID) -> None:
    """Forget the wrong codes before a right one."""
    await services.database.call("select forgive_sign_in_attempts(%s)", ([_code(user_id)],))


async def _take(services: Services, subjects: list[str], capacities: list[int], refill_seconds: int) -> None:
    row = await services.database.call(
        "select take_sign_in_attempt(%s, %s, %s, %s)", (subjects, capacities, refill_seconds, services.clock.outside())
    )
    if row and row[0] > 0:
        raise TooManyRequests(retry_after=row[0])


def _account(email: str) -> str:
    return _subject("email", email.lower())


def _code(user_id: UUID) -> str:
    return _subject("code", str(user_id))


def _subject(kind: str, value: str) -> str:
    """The bucket of an attempt; hashed, since it holds what anybody may type."""
    return f"{kind}:{hashlib.sha256(value.encode()).hexdigest()[:32]}"
