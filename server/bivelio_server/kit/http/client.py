"""The one door through which the server calls the outside."""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore2
from prometheus_client import Counter, Histogram

from bivelio_server.kit import tracing
from bivelio_server.kit.addresses import Network
from bivelio_server.kit.http.errors import (
    ConnectionLost,
    OutgoingError,
    ProtocolFailed,
    RequestInvalid,
    TimedOut,
    UrlInvalid,
)
from bivelio_server.kit.http.network import CheckedBackend, Resolver, ThreadResolver
from bivelio_server.kit.http.pool import ConnectionPool
from bivelio_server.kit.http.targets import Target, check_target, parse_target

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OUR_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HARMLESS_HEADERS = frozenset({"accept", "accept-language", "content-type", "user-agent"})


REQUESTS: Final = Counter(
    "bivelio_outgoing_requests_total",
    "Calls to the outside by provider and outcome: the class of the status (`2xx`), or the error.",
    ["provider", "outcome"],
)
SECONDS: Final = Histogram(
    "bivelio_outgoing_request_seconds",
    "Duration of calls to the outside by provider.",
    ["provider"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 60),
)


@dataclass(frozen=True, slots=True)
class OutgoingResponse:
    """What came back. A status of 400 or more is an answer, not an error.

    `headers`: names in lower case, repeated ones joined by ", ". `body`: as sent, never decompressed; cut at
    `max_response_bytes` if `truncated`. `duration_ms`: of the whole exchange, redirects included.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    truncated: bool
    duration_ms: int

    def retry_after(self, now: datetime) -> timedelta | None:
        """How long the other side asks to be left alone: seconds or a date; anything else is no wish at all."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return timedelta(seconds=min(int(value[:9]), 10**6))
        try:
            return parsedate_to_datetime(value) - now
        except (ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True, slots=True)
class _Hop:
    """One request of an exchange."""

    method: str
    target: Target
    headers: Mapping[str, str]
    content: bytes | None


class OutgoingHttp:
    """Calls URLs that other people wrote, and only at public addresses.

    `private_networks` are opened by the operator; `resolve` replaces the system's resolver. One instance serves
    the whole process and keeps connections alive. It uses no proxy and keeps no cookies.
    """

    def __init__(
        self,
        *,
        private_networks: Sequence[Network] = (),
        user_agent: str,
        max_connections: int = 256,
        resolve: Resolver | None = None,
    ) -> None:
        self._private_networks = tuple(private_networks)
        self._user_agent = user_agent
        self._threads = ThreadResolver()
        backend = CheckedBackend(resolve or self._threads, self._private_networks)
        self._pool = ConnectionPool(backend, httpcore2.default_ssl_context(), max_connections)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109 - it covers redirects and body, which no caller could bound alike
        max_response_bytes: int = 65536,
        follow_redirects: int = 0,
        provider: str = "other",
    ) -> OutgoingResponse:
        """Send one request and read its answer.

        `provider` is whom we call, a word of ours for figures and traces (`webhook`, `whatsapp`), never a host.
        `timeout`: seconds for everything, from waiting for a connection to the last byte. `follow_redirects`:
        how many to follow; the next one is then the answer. Raises `OutgoingError`.
        """
        with tracing.span(f"{method} {provider}", "client") as span, SECONDS.labels(provider).time():
            try:
                response = await self._exchange(
                    method, url, headers or {}, content, timeout, max_response_bytes, follow_redirects
                )
            except OutgoingError as error:
                REQUESTS.labels(provider, error.code).inc()
                raise
            REQUESTS.labels(provider, f"{response.status // 100}xx").inc()
            span.note({"http.response.status_code": response.status})
            return response

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        seconds: float,
        max_response_bytes: int,
        follow_redirects: int,
    ) -> OutgoingResponse:
        started = time.monotonic()
        hop = _Hop(method, parse_target(url), _checked_headers(method, headers), content)
        try:
            async with asyncio.timeout(seconds):
                for _ in range(follow_redirects):
                    response = await self._send(hop, max_response_bytes, started)
                    following = _next_hop(hop, response)
                    if following is None:
                        return response
                    hop = following
                return await self._send(hop, max_response_bytes, started)
        except TimeoutError as error:
            raise TimedOut(f"{hop.target.host} took more than {seconds:g} seconds") from error

    async def aclose(self) -> None:
        """Close idle connections now and the others as their requests end."""
        await self._pool.aclose()
        self._threads.close()

    async def _send(self, hop: _Hop, max_bytes: int, started: float) -> OutgoingResponse:
        check_target(hop.target, self._private_networks)
        try:
            async with self._pool.connection(hop.target.origin) as connection:
                response = await connection.handle_async_request(self._wire_request(hop))
                try:
                    body, truncated = await _read(response, max_bytes)
                finally:
                    await response.aclose()
        except httpcore2.NetworkError as error:
            raise ConnectionLost(f"the connection to {hop.target.host} broke") from error
        except httpcore2.ProtocolError as error:
            raise ProtocolFailed(f"{hop.target.host} did not answer in HTTP") from error
        duration_ms = round((time.monotonic() - started) * 1000)
        return OutgoingResponse(response.status, _folded(response.headers), body, truncated, duration_ms)

    def _wire_request(self, hop: _Hop) -> httpcore2.Request:
        target = hop.target
        headers = {"host": target.authority, "user-agent": self._user_agent, **hop.headers}
        # A compressed answer would have to be unpacked, and a few bytes unpack to gigabytes.
        headers["accept-encoding"] = "identity"
        if hop.content is not None or hop.method in {"POST", "PUT", "PATCH"}:
            headers["content-length"] = str(len(hop.content or b""))
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        return httpcore2.Request(hop.method, url, headers=list(headers.items()), content=hop.content)


async def _read(response: httpcore2.Response, max_bytes: int) -> tuple[bytes, bool]:
    """The body's first bytes, and whether there were more."""
    body = bytearray()
    async for chunk in response.aiter_stream():
        body += chunk
        if len(body) > max_bytes:
            return bytes(body[:max_bytes]), True
    return bytes(body), False


def _next_hop(hop: _Hop, response: OutgoingResponse) -> _Hop | None:
    """The request that a redirect asks for, `None` if the response is not one."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or location is None:
        return None
    target = hop.target.join(location)
    if hop.target.scheme == "https" and target.scheme == "http":
        raise UrlInvalid(f"{hop.target.host} redirects from https to http")
    headers = hop.headers
    if target.origin != hop.target.origin:
        # What identifies the caller was meant for the first origin only, whatever the header's name.
        headers = {name: value for name, value in headers.items() if name in _HARMLESS_HEADERS}
    if response.status in {307, 308} or hop.method in {"GET", "HEAD"}:
        return _Hop(hop.method, target, headers, hop.content)
    headers = {name: value for name, value in headers.items() if name != "content-type"}
    return _Hop("GET", target, headers, None)


def check_header_name(name: str) -> None:
    """Refuse a header that a caller cannot set. Raises `RequestInvalid`."""
    if not _HEADER_NAME.fullmatch(name):
        raise RequestInvalid("a header's name has characters that are not allowed")
    if name.lower() in _OUR_HEADERS:
        raise RequestInvalid(f"the header {name} is set by the server itself")


def _checked_headers(method: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with names in lower case. Raises `RequestInvalid` for what would not stay one header."""
    if method not in _METHODS:
        raise RequestInvalid("the method is not one of " + ", ".join(sorted(_METHODS)))
    checked = {}
    for name, value in headers.items():
        check_header_name(name)
        if not _HEADER_VALUE.fullmatch(value):
            raise RequestInvalid(f"the header {name} may only hold printable ASCII on one line")
        checked[name.lower()] = value.strip()
    return checked


def _folded(raw: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
