"""Requests from web pages: what a browser may show to the page that asked (CORS), and keys that do not belong there.

Only publishable keys are for pages, and only for those of their `allowed_origins`. No reply ever allows every origin,
or credentials that a browser adds by itself.
"""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.requests import Request
from starlette.responses import Response

from bivelio_server.accounts import queries
from bivelio_server.accounts.authentication import is_publishable
from bivelio_server.accounts.notices import notify_in_browser
from bivelio_server.accounts.web_origins import host_of
from bivelio_server.kit import audit
from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import InsufficientScope
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text

#: How often the organisation is told of one key that it is used in a browser.
NOTICED_EVERY: Final = timedelta(days=1)

_ALLOWED_HEADERS: Final = (
    "X-API-Key, Authorization, Content-Type, Accept-Language, Idempotency-Key, BiVelio-Version, X-Request-Id, "
    "Last-Event-ID"
)
_EXPOSED_HEADERS: Final = (
    b"X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, BiVelio-Version, "
    b"Idempotent-Replayed"
)
_VARY: Final = (b"vary", b"Origin")
_MOST_REMEMBERED: Final = 10_000
_log = structlog.get_logger()


def preflight_reply(origin: str) -> Response:
    """What a browser asks before a page's request. It carries no key, so every origin hears the same: the request
    itself is what tells whether the origin is allowed."""
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
    return Response(status_code=204, headers=headers)


class Browsers:
    """What one process knows of pages and of secret keys that it saw in them."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._own_origin = _origin_of(services.settings.public_url)
        self._noticed: dict[str, datetime] = {}

    def page(self, request: Request, origin: str) -> "Page | None":
        """The page that sends the request; None for our own, which a browser lets read everything anyway."""
        if origin == self._own_origin or host_of(origin) == request.headers.get("host", "").lower():
            return None
        return Page(self, request, origin)

    async def notice(self, request: Request, origin: str, admitted: Admitted, caller: Caller) -> None:
        """Say that a secret key is used in a page: in the log each time, to the organisation once a day."""
        request_id, now = request.state.request_id, self._services.clock.now()
        _log.warning("secret_key_in_browser", actor=caller.actor, origin=origin[:300], request_id=request_id)
        last = self._noticed.get(caller.actor)
        if last is not None and now - last < NOTICED_EVERY:
            return
        if len(self._noticed) >= _MOST_REMEMBERED:
            self._noticed.clear()
        door = Origin(Door.http, request_id, admitted.address)
        async with transaction(caller, self._services, door) as context:
            key = await queries.notice_in_browser(context, unless_since=now - NOTICED_EVERY)
            if key is not None:
                context.changed("api_keys", key.id, None, {"origin": origin[:300]})
                await audit.write(context, "keys.secret_in_browser")
                await notify_in_browser(context, key, origin[:300])
        self._noticed[caller.actor] = now


class Page:
    """A foreign web page and its request. Until it is known who calls, a refusal may be read if the key looks
    publishable: it tells nothing."""

    def __init__(self, browsers: Browsers, request: Request, origin: str) -> None:
        self._browsers = browsers
        self._request = request
        self._origin = origin
        self._show(readable=is_publishable(request))

    def show_reply(self, admitted: Admitted, allowed_origins: frozenset[str] | None) -> None:
        """Let the page read the reply, whatever it will be, if it may."""
        if admitted.caller is not None:
            self._show(readable=allowed_origins is not None and self._origin in allowed_origins)

    async def judge(self, admitted: Admitted, allowed_origins: frozenset[str] | None) -> None:
        """Raises InsufficientScope for a publishable key of other origins."""
        if admitted.caller is None or admitted.caller.key_id is None:
            return
        if allowed_origins is None:
            self._request.state.reply_headers.append((b"bivelio-warning", b"secret-key-in-browser"))
            await self._browsers.notice(self._request, self._origin, admitted, admitted.caller)
        elif self._origin not in allowed_origins:
            shown = self._origin[:300]
            raise InsufficientScope(_FOREIGN.format(origin=shown), details={"field": "Origin", "origin": shown})

    def _show(self, *, readable: bool) -> None:
        headers = [_VARY]
        if readable:
            headers += [
                (b"access-control-allow-origin", self._origin.encode("latin-1")),
                (b"access-control-expose-headers", _EXPOSED_HEADERS),
            ]
        self._request.state.reply_headers = headers


def _origin_of(url: str | None) -> str | None:
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else None


_FOREIGN: Final = Text(
    "El origen {origin} no está entre los permitidos de esta clave publicable (allowed_origins).",
    "The origin {origin} is not among those allowed for this publishable key (allowed_origins).",
)
