"""`Idempotency-Key`: a repeated write gets the first one's reply, and takes effect once.

A write that needs one transaction claims its key by a lock, and stores its reply with its effect: after a crash both
are there or neither. One that needs several (a call to the outside) holds the key by a lease meanwhile, so that a crash
frees it. Replies are kept for 24 hours; those of 429 and 5xx are not.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson
from prometheus_client import Counter

from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import APIError, Conflict, Impossible, Problem, ValidationFailed
from bivelio_server.kit.models import Output
from bivelio_server.kit.operations import Operation
from bivelio_server.kit.pruning import Pruning
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.kit.tracing import EndsEarly

HEADER: Final = "Idempotency-Key"
REPLAYS: Final = Counter("bivelio_idempotent_replays_total", "Replies that were repeated instead of done again.")
#: Longer than any request takes; a crash frees the key after it.
LEASE: Final = timedelta(seconds=120)
PRUNINGS: Final = (Pruning("prune_idempotency_keys", timedelta(hours=24)),)

_ACCEPTABLE: Final = re.compile(r"[\x21-\x7e]{1,255}")
_CLAIM: Final = """
    select outcome, status, reply, sealed_reply
      from claim_idempotency_key(%(org_id)s, %(environment)s, %(operation)s, %(key)s, %(digest)s, %(now)s)
"""
_STORE: Final = """
    insert into idempotency_keys as i
           (org_id, environment, operation, key, digest, created_at, lease_until, status, reply, sealed_reply)
    values (%(org_id)s, %(environment)s, %(operation)s, %(key)s, %(digest)s, %(now)s, %(lease_until)s, %(status)s,
            %(reply)s, %(sealed_reply)s)
    on conflict (org_id, environment, operation, key) do update
       set digest = excluded.digest, created_at = excluded.created_at, lease_until = excluded.lease_until,
           status = excluded.status, reply = excluded.reply, sealed_reply = excluded.sealed_reply
"""
_FREE: Final = """
    delete from idempotency_keys
     where org_id = %(org_id)s and environment = %(environment)s and operation = %(operation)s and key = %(key)s
"""


class Replayed(EndsEarly):
    """The request was answered before; this is that reply."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


class KeyInFlight(Conflict):
    """Somebody else's request with the same key is under way."""

    def __init__(self) -> None:
        super().__init__(_IN_FLIGHT, details={"field": HEADER}, retry_after=1)


class KeyOfAnotherRequest(Impossible):
    """The key was used with other data."""

    def __init__(self) -> None:
        super().__init__(Problem(HEADER, "same_request", _ANOTHER_BODY))


@dataclass(frozen=True, slots=True)
class Claim:
    """One key with one request of one operation; `render…` make the bodies of its replies."""

    operation: Operation
    key: str
    digest: bytes
    render: Callable[[Output], bytes]
    render_refusal: Callable[[APIError], bytes]

    async def take(self, context: Context) -> None:
        """Make the key this request's own. Raises Replayed, KeyInFlight, KeyOfAnotherRequest."""
        [row] = await context.session.run(_CLAIM, self._values(context))
        if row.outcome == "in_flight":
            raise KeyInFlight
        if row.outcome == "mismatch":
            raise KeyOfAnotherRequest
        if row.outcome == "stored":
            REPLAYS.inc()
            sealed = row.sealed_reply
            body = row.reply if sealed is None else context.services.cipher.decrypt(sealed, row=self._place(context))
            raise Replayed(row.status, body.encode())

    async def hold(self, context: Context) -> None:
        """Keep the key while several transactions go by."""
        await self._store(context, None, None, LEASE)

    async def keep(self, context: Context, output: Output, *, provisional: bool = False) -> None:
        """The reply to repeat. A provisional one is for when a crash keeps the final one from being known."""
        await self._store(context, 200, self.render(output), LEASE if provisional else None)

    async def keep_refusal(self, context: Context, error: APIError) -> None:
        """The refusal to repeat, unless it may pass: then the key is free again."""
        if error.status == 429 or error.status >= 500:
            await context.session.run(_FREE, self._values(context))
        else:
            await self._store(context, error.status, self.render_refusal(error), None)

    def outgoing_key(self, caller: Caller) -> str:
        """The key under which the outside sees this request, however often it is repeated."""
        whole = f"{caller.org_id} {caller.environment.value} {self.operation.name} {self.key}"
        return f"idem_{hashlib.sha256(whole.encode()).hexdigest()[:40]}"

    async def _store(self, context: Context, status: int | None, body: bytes | None, lease: timedelta | None) -> None:
        sealed = None
        if body is not None and self.operation.secret_output and status == 200:
            sealed = context.services.cipher.encrypt(body.decode(), row=self._place(context))
        stored = {
            "status": status,
            "lease_until": context.now + lease if lease else None,
            "reply": body.decode() if body is not None and sealed is None else None,
            "sealed_reply": sealed,
        }
        await context.session.flush_changes()
        await context.session.run(_STORE, {**self._values(context), **stored})

    def _values(self, context: Context) -> dict[str, Any]:
        return {
            **identity(context.caller),
            "operation": self.operation.name,
            "key": self.key,
            "digest": self.digest,
            "now": context.now,
        }

    def _place(self, context: Context) -> str:
        caller = context.caller
        return (
            f"idempotency_keys.sealed_reply {caller.org_id} {caller.environment.value} {self.operation.name} {self.key}"
        )


def require_acceptable(key: str) -> str:
    """Raises ValidationFailed."""
    if not _ACCEPTABLE.fullmatch(key):
        raise ValidationFailed(Problem(HEADER, "pattern", _MALFORMED))
    return key


def digest_of(data: Any) -> bytes:
    """Equal for requests that mean the same, whatever the order of their fields."""
    return hashlib.sha256(orjson.dumps(data, default=_plain, option=orjson.OPT_SORT_KEYS)).digest()


def _plain(value: object) -> object:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


_IN_FLIGHT: Final = Text(
    "Ya hay una petición en curso con esta Idempotency-Key; repítela en unos segundos.",
    "A request with this Idempotency-Key is under way; repeat it in some seconds.",
)
_ANOTHER_BODY: Final = Text(
    "Esta Idempotency-Key ya se usó con otros datos; usa una clave nueva para una petición distinta.",
    "This Idempotency-Key was used with other data; use a new key for a different request.",
)
_MALFORMED: Final = Text(
    "La cabecera Idempotency-Key debe tener de 1 a 255 caracteres ASCII visibles, sin espacios.",
    "The header Idempotency-Key must have 1 to 255 visible ASCII characters, without spaces.",
)
