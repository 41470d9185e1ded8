"""Who asks the public API, and whether they have asked too often: one database call a request.

Requests count twice, by their key and by the person behind it, in both windows or in none. Those whose key does not
work count by the address that they come from.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Final, Literal

from starlette.requests import Request

from bivelio_server.accounts.admission import REFUSED, AddressGate
from bivelio_server.accounts.api_keys import digest_of
from bivelio_server.accounts.roles import rights_of
from bivelio_server.accounts.sandbox_address import is_sandbox_address
from bivelio_server.boxes.public import queries
from bivelio_server.boxes.public.key_format import is_well_formed_box_key
from bivelio_server.kit.admission import Admitted, client_address
from bivelio_server.kit.caller import Caller, Environment, Scope, intersect_rights
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import APIError, CredentialsExpired, InsufficientScope, NotAuthenticated, TooManyRequests
from bivelio_server.kit.text import Text

PER_MINUTE: Final = 100
PER_DAY: Final = 15_000

HeldBy = Literal["key", "user", "address"]
#: A key of boxes reads what its person may see, and nothing else of the organisation.
_RIGHTS: Final = (f"{queries.RESOURCE}:{Scope.read.value}",)
_UNKNOWN_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Windows:
    """How the limits stand after a request; `retry_after` is in seconds, 0 when it may come in."""

    hits: int
    key_remaining: int
    key_resets_at: datetime
    user_remaining: int
    user_resets_at: datetime
    retry_after: int = 0
    held_by: HeldBy | None = None

    @classmethod
    def unknown(cls, now: datetime) -> "Windows":
        """As long as nobody has counted."""
        soon = now + timedelta(seconds=_UNKNOWN_SECONDS)
        return cls(0, 0, soon, 0, soon)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-hits", str(self.hits).encode()),
            (b"x-ratelimit-remaining-key", str(self.key_remaining).encode()),
            (b"x-ratelimit-remaining-user", str(self.user_remaining).encode()),
            (b"x-ratelimit-reset-key", str(ceil(self.key_resets_at.timestamp())).encode()),
            (b"x-ratelimit-reset-user", str(ceil(self.user_resets_at.timestamp())).encode()),
        ]

    def require_room(self) -> None:
        """Raises TooManyRequests, and counts it."""
        if self.held_by is not None:
            REFUSED.labels(self.held_by).inc()
            raise TooManyRequests(_TOO_MANY[self.held_by], retry_after=self.retry_after)


class PublicAdmission:
    """Leaves `request.state.admitted` and the five headers of the limits, whatever becomes of the request."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._gate = AddressGate(services)

    async def admit(self, request: Request) -> Caller:
        """Raises NotAuthenticated, CredentialsExpired, TooManyRequests, InsufficientScope at the sandbox's address."""
        address = client_address(request, self._services.settings.trusted_proxies)
        self._show(request, Windows.unknown(self._services.clock.now()))
        try:
            caller, windows = await self._identify(request)
        except NotAuthenticated as refusal:
            await self._charge_address(request, address, refusal)
            raise
        request.state.admitted = Admitted(caller, None, None, address)
        self._show(request, windows)
        windows.require_room()
        if caller.environment is Environment.live and is_sandbox_address(request):
            raise InsufficientScope(_LIVE_HERE)
        if not caller.may(Scope.read, queries.RESOURCE):
            raise InsufficientScope(_MAKER_LOST_IT)
        return caller

    async def _identify(self, request: Request) -> tuple[Caller, Windows]:
        key, now = _key_of(request), self._services.clock.now()
        row = await queries.admit(self._services.database, digest_of(key), PER_MINUTE, PER_DAY, now)
        if row is None:
            raise NotAuthenticated(_NOT_FOUND)
        org_id, environment, id_, user_id, role, scopes, plan, expired, hits, *windows = row
        if expired:
            raise CredentialsExpired(_EXPIRED)
        rights = intersect_rights(rights_of(role, tuple(scopes)), _RIGHTS)
        caller = Caller(org_id, Environment(environment), f"key:{id_}", user_id, rights, plan)
        return caller, Windows(hits, *windows)

    async def _charge_address(self, request: Request, address: str, refusal: APIError) -> None:
        """Raises TooManyRequests."""
        limits = await self._gate.admit(address)
        request.state.admitted = Admitted(None, refusal, None, address)
        used = limits.per_minute - limits.remaining
        held_by: HeldBy | None = "address" if limits.retry_after else None
        windows = Windows(used, limits.remaining, limits.resets_at, 0, limits.resets_at, limits.retry_after, held_by)
        self._show(request, windows)
        windows.require_room()

    def _show(self, request: Request, windows: Windows) -> None:
        request.state.reply_headers = windows.headers


def _key_of(request: Request) -> str:
    """Raises NotAuthenticated."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise NotAuthenticated(_MISSING)
    if not is_well_formed_box_key(key.strip()):
        raise NotAuthenticated(_NOT_FOUND)
    return key.strip()


_MISSING: Final = Text(
    "Falta la clave de API (Authorization: Bearer bbfe_…)", "API Key missing (Authorization: Bearer bbfe_…)"
)
_NOT_FOUND: Final = Text("La clave de API no existe", "API Key not found")
_EXPIRED: Final = Text("La clave de API ha caducado", "API Key expired")
_LIVE_HERE: Final = Text(
    "Esta dirección es la del sandbox y solo admite claves de prueba",
    "This is the address of the sandbox, and it takes sandbox keys only",
)
_MAKER_LOST_IT: Final = Text(
    "La clave con la que se creó ya no puede leer cajas", "The key that made this one may no longer read boxes"
)
_TOO_MANY: Final[dict[HeldBy, Text]] = {
    "key": Text(
        f"La clave admite {PER_MINUTE} peticiones cada 60 segundos",
        f"The key takes {PER_MINUTE} requests per 60 seconds",
    ),
    "user": Text(
        f"La cuenta admite {PER_DAY} peticiones cada 24 horas", f"The user takes {PER_DAY} requests per 24 hours"
    ),
    "address": Text(
        "Demasiadas peticiones sin clave válida desde esta dirección",
        "Too many requests without a valid key from this address",
    ),
}
