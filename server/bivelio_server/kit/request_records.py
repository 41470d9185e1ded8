"""From an answered request to its line in the request log: no body, no secret."""

import hashlib
from functools import lru_cache
from typing import Any, Final

from starlette.requests import Request

from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.context import Services
from bivelio_server.kit.idempotency import HEADER
from bivelio_server.kit.journal import RequestRecord
from bivelio_server.kit.logging import masked
from bivelio_server.kit.origin import Door

#: What a path names that is no operation's.
OTHER: Final = "other"
_DOOR: Final = Door.http.value
_LONGEST_PATH: Final = 200
_LONGEST_AGENT: Final = 120
_HASH_LENGTH: Final = 16


def request_record(
    request: Request, services: Services, status: int, error_code: str | None, seconds: float
) -> RequestRecord | None:
    """None when it named no organisation."""
    # The dictionary behind `request.state`: asking that for what is not there costs more than all the rest.
    state: dict[str, Any] = request.scope["state"]
    admitted: Admitted | None = state.get("admitted")
    if admitted is None or admitted.caller is None:
        return None
    headers, path = request.headers, request.scope["path"]
    caller, key, agent = admitted.caller, headers.get(HEADER), headers.get("user-agent")
    operation = services.catalogue.at(path)
    return RequestRecord(
        org_id=caller.org_id,
        request_id=state["request_id"],
        environment=caller.environment.value,
        arrived_at=services.clock.now().timestamp() - seconds,
        operation=state.get("operation", OTHER) if operation is None else operation.name,
        path=_shown(path, _LONGEST_PATH),
        status=status,
        error_code=error_code or state.get("error_code"),
        duration_ms=round(seconds * 1000, 2),
        actor=caller.actor,
        key_id=caller.key_id,
        address=admitted.address,
        door=_DOOR,
        idempotency_key_hash=_hash(key) if key else None,
        replayed=state.get("replayed", False),
        api_version=state.get("api_version"),
        user_agent=_shown(agent, _LONGEST_AGENT) if agent else None,
    )


def _hash(key: str) -> str:
    """Tells which requests shared a key without telling the key, which may hold anything."""
    return hashlib.sha256(key.encode()).hexdigest()[:_HASH_LENGTH]


@lru_cache(maxsize=1024)
def _shown(value: str, longest: int) -> str:
    """The beginning of what a client wrote, on one line, with keys and tokens in it masked."""
    return "".join(letter if letter.isprintable() else "?" for letter in masked(value)[:longest])
