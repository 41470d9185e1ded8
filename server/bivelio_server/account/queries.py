"""Every query on the caller's own account. People belong to no organisation: only definer functions reach them."""

from typing import Any, Final
from uuid import UUID

from bivelio_server.kit.context import Context

_ACCOUNT: Final = """
    select email, name, password_hash, created_at, second_factor_secret, second_factor_since, recovery_codes_left
      from account_of(%(user_id)s)
"""
_NEW_PASSWORD: Final = "select set_password(%(user_id)s, %(password_hash)s)"  # noqa: S105 - a call
_SESSIONS: Final = """
    select id, organization_id, organization, environment, created_at, last_used_at, address, user_agent
      from sessions_of(%(user_id)s, %(now)s)
"""
_END_SESSION: Final = "select end_session(%(user_id)s, %(session_id)s, %(now)s) as ended"
_END_OTHERS: Final = "select end_other_sessions(%(user_id)s, %(session_id)s, %(now)s) as ended"
_BEGIN: Final = "select begin_second_factor(%(user_id)s, %(secret)s) as begun"
_CONFIRM: Final = "select confirm_second_factor(%(user_id)s, %(secret)s, %(step)s, %(digests)s, %(now)s) as confirmed"
_DROP: Final = "select drop_second_factor(%(user_id)s)"
_REPLACE_CODES: Final = "select replace_recovery_codes(%(user_id)s, %(digests)s, %(now)s)"


async def account(context: Context) -> Any:
    return (await context.session.run(_ACCOUNT, _me(context)))[0]


async def set_password(context: Context, password_hash: str) -> None:
    await context.session.run(_NEW_PASSWORD, {**_me(context), "password_hash": password_hash})


async def sessions(context: Context) -> list[Any]:
    return await context.session.run(_SESSIONS, {**_me(context), "now": context.now})


async def end_session(context: Context, session_id: UUID) -> bool:
    """False when there is no such session of the caller's, or no more."""
    rows = await context.session.run(_END_SESSION, {**_me(context), "session_id": session_id, "now": context.now})
    return bool(rows[0].ended)


async def end_other_sessions(context: Context) -> int:
    this = {**_me(context), "session_id": context.caller.session_id, "now": context.now}
    return int((await context.session.run(_END_OTHERS, this))[0].ended)


async def begin_second_factor(context: Context, secret: bytes) -> bool:
    """False when one is in use already."""
    return bool((await context.session.run(_BEGIN, {**_me(context), "secret": secret}))[0].begun)


async def confirm_second_factor(context: Context, secret: bytes, step: int, digests: list[bytes]) -> bool:
    """False when another one was begun or confirmed meanwhile."""
    proof = {**_me(context), "secret": secret, "step": step, "digests": digests, "now": context.now}
    return bool((await context.session.run(_CONFIRM, proof))[0].confirmed)


async def drop_second_factor(context: Context) -> None:
    await context.session.run(_DROP, _me(context))


async def replace_recovery_codes(context: Context, digests: list[bytes]) -> None:
    await context.session.run(_REPLACE_CODES, {**_me(context), "digests": digests, "now": context.now})


def _me(context: Context) -> dict[str, object]:
    return {"user_id": context.caller.user_id}
