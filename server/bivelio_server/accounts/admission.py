"""Before everything below `/v1`: who is asking, and whether they have asked too often. One database call a request.

Requests count by organisation and environment, whatever their credentials; those without any by their address.
"""

from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from prometheus_client import Counter
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from bivelio_server.accounts.authentication import Authentication
from bivelio_server.accounts.browsers import Browsers, preflight_reply
from bivelio_server.accounts.sandbox_address import require_sandbox
from bivelio_server.kit.admission import Admitted, Limits, client_address
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import announce_version, choose_version
from bivelio_server.kit.errors import APIError, InsufficientScope

REFUSED: Final = Counter("bivelio_rate_limited_total", "Requests refused since there were too many.", ["by"])

_ADMIT: Final = "select remaining, resets_at, retry_after, burst from admit_address(%s, %s, %s, %s)"
_MOST_REMEMBERED: Final = 10_000


class Admission:
    """An ASGI application in front of another; it leaves `request.state.admitted`, and for browsers
    `request.state.reply_headers`."""

    def __init__(self, app: ASGIApp, services: Services, authentication: Authentication) -> None:
        self._app = app
        self._settings = services.settings
        self._clock = services.clock
        self._versions = services.catalogue.versions
        self._authentication = authentication
        self._gate = AddressGate(services)
        self._browsers = Browsers(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        origin = request.headers.get("origin")
        if origin is not None and request.method == "OPTIONS":
            await preflight_reply(origin)(scope, receive, send)
            return
        announce_version(request, self._versions)
        await self._admit(request, origin)
        caller = request.state.admitted.caller
        choose_version(request, self._versions, None if caller is None else caller.api_version)
        await self._app(scope, receive, send)

    async def _admit(self, request: Request, origin: str | None) -> None:
        """Raises TooManyRequests, and InsufficientScope for a publishable key at an origin that is not its own."""
        page = self._browsers.page(request, origin) if origin is not None else None
        request.state.admitted, allowed_origins = await self._identify(request)
        if page is not None:
            page.show_reply(request.state.admitted, allowed_origins)
        require_room(request.state.admitted)
        if page is not None:
            await page.judge(request.state.admitted, allowed_origins)

    async def _identify(self, request: Request) -> tuple[Admitted, frozenset[str] | None]:
        address = client_address(request, self._settings.trusted_proxies)
        try:
            caller, limits, allowed_origins = await self._authentication.admit(request)
        except APIError as refusal:
            return Admitted(None, refusal, await self._gate.admit(address), address), None
        try:
            require_sandbox(request, caller.environment)
        except InsufficientScope as refusal:
            return Admitted(None, refusal, limits, address), allowed_origins
        credentials = self._authentication.credentials(request)
        return Admitted(caller, None, limits, address, credentials), allowed_origins


def require_room(admitted: Admitted) -> None:
    """Raises TooManyRequests, and counts it."""
    if admitted.limits is not None:
        if admitted.limits.retry_after:
            REFUSED.labels("organization" if admitted.caller else "address").inc()
        admitted.limits.require_room()


class AddressGate:
    """Counts the requests that name nobody. An address once refused is not asked for again before it may return."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._refused: dict[str, tuple[datetime, Limits]] = {}

    async def admit(self, address: str) -> Limits:
        now, subject = self._services.clock.now(), _subject(address)
        until, limits = self._refused.get(subject, (now, None))
        if limits is not None and now < until:
            return limits
        self._refused.pop(subject, None)
        limits = await self._charge(subject, now)
        if limits.retry_after and not limits.burst:
            self._remember(subject, limits)
        return limits

    async def _charge(self, subject: str, now: datetime) -> Limits:
        settings = self._services.settings
        per_minute, per_second = settings.anonymous_per_minute, settings.anonymous_per_second
        row = await self._services.database.call(_ADMIT, (subject, per_minute, per_second, now))
        assert row is not None
        remaining, resets_at, retry_after, burst = row
        return Limits(per_minute, per_second, remaining, resets_at, retry_after, bool(burst))

    def _remember(self, subject: str, limits: Limits) -> None:
        if len(self._refused) >= _MOST_REMEMBERED:
            self._refused.clear()
        self._refused[subject] = limits.resets_at, limits


def _subject(address: str) -> str:
    """Whoever has an IPv6 address has a whole network of them."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip_network(f"{parsed}/64", strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)
