"""Around every request: its id, its log line, its metrics, and the one place where errors become replies."""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import structlog
from prometheus_client import Counter, Gauge, Histogram
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bivelio_server.kit import tracing
from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import passes_by_itself
from bivelio_server.kit.door import failure, json_response, method_not_allowed
from bivelio_server.kit.errors import APIError, InternalError, MethodNotAllowed, NotFound, Unavailable
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.logging import masked
from bivelio_server.kit.refusals import Refusal, Renderer
from bivelio_server.kit.request_records import OTHER, request_record
from bivelio_server.kit.text import negotiate_language
from bivelio_server.kit.tracing import NO_SPAN, Span
from bivelio_server.kit.versions import HEADER

_log = structlog.get_logger()
_UNTRACED: Final = frozenset({"/livez", "/readyz", "/metrics"})
_ACCEPTABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,100}")

REQUESTS: Final = Counter("bivelio_requests_total", "Requests by operation and status.", ["operation", "status"])
SECONDS: Final = Histogram(
    "bivelio_request_seconds",
    "Duration of requests by operation; of streams until they begin.",
    ["operation"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60),
)
IN_PROGRESS: Final = Gauge("bivelio_requests_in_progress", "Requests that are being answered.")
REFUSALS: Final = Counter("bivelio_refusals_total", "Refused requests by the code of the error.", ["code"])


class RequestMiddleware:
    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        with IN_PROGRESS.track_inprogress(), _span(request) as span:
            await self._answer(_Exchange(request, send, span))

    async def _answer(self, exchange: "_Exchange") -> None:
        request = exchange.request
        try:
            await self._app(request.scope, request.receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - the last stop of every request: nothing may escape without a reply
            await exchange.fail(error)
        except asyncio.CancelledError:  # the server stops and waits no longer: even so nobody is left without a reply
            await exchange.fail(Unavailable())
        exchange.finish(self._services)


def _span(request: Request) -> AbstractContextManager[Span]:
    """What the operator's own programs ask for again and again is not traced."""
    if request.scope["path"] in _UNTRACED:
        return nullcontext(NO_SPAN)
    return tracing.span(request.method, "server", parent=request.headers.get("traceparent"))


class _Exchange:
    """One request on its way through, from its id to its log line."""

    def __init__(self, request: Request, send: Send, span: Span) -> None:
        self.request = request
        self._span = span
        self._send = send
        self._started = time.perf_counter()
        self._status = 0
        self._first_answered = self._started
        self._error_code: str | None = None
        given = request.headers.get("x-request-id", "")
        self.request_id = given if _is_acceptable(given) else new_id("req")
        request.state.request_id = self.request_id

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status, self._first_answered = message["status"], time.perf_counter()
            message["headers"] = [*message.get("headers", []), *self._headers()]
        await self._send(message)

    def _headers(self) -> Iterator[tuple[bytes, bytes]]:
        yield b"x-request-id", self.request_id.encode()
        version = getattr(self.request.state, "api_version", None)
        if version is not None:
            yield HEADER.lower().encode(), version.encode()
        admitted: Admitted | None = getattr(self.request.state, "admitted", None)
        if admitted is not None and admitted.limits is not None:
            yield from admitted.limits.headers
        yield from getattr(self.request.state, "reply_headers", ())

    async def fail(self, error: Exception) -> None:
        if self._status:
            _log.error("reply_interrupted", request_id=self.request_id, exc_info=error)
            return
        known = _as_api_error(error)
        refusal = _refused(self.request, known)
        self._error_code = refusal.code
        REFUSALS.labels(refusal.code).inc()
        if refusal.status >= 500:
            _log.error("request_failed", request_id=self.request_id, exc_info=error)
        await _error_response(known, refusal)(self.request.scope, self.request.receive, self.send)

    def finish(self, services: Services) -> None:
        seconds = time.perf_counter() - self._started
        operation = getattr(self.request.state, "operation", OTHER)
        self._trace(operation, self._caller)
        REQUESTS.labels(operation, self._status).inc()
        streams = getattr(self.request.state, "streams", False)
        SECONDS.labels(operation).observe(self._first_answered - self._started if streams else seconds)
        caller = self._caller
        _log.info(
            "request",
            request_id=self.request_id,
            operation=operation,
            status=self._status,
            milliseconds=round(seconds * 1000, 2),
            organization_id=str(caller.org_id) if caller else None,
            actor=caller.actor if caller else None,
            **({"trace_id": trace_id} if (trace_id := tracing.trace_id()) else {}),
        )
        record = request_record(self.request, services, self._status, self._error_code, seconds)
        if record is not None:
            services.journal.note(record)

    @property
    def _caller(self) -> Caller | None:
        admitted: Admitted | None = getattr(self.request.state, "admitted", None)
        return None if admitted is None else admitted.caller

    def _trace(self, operation: str, caller: Caller | None) -> None:
        self._span.rename(f"{self.request.method} {operation}")
        self._span.note({"bivelio.request_id": self.request_id, "http.response.status_code": self._status})
        if caller is not None:
            self._span.note(
                {"bivelio.organization_id": str(caller.org_id), "bivelio.environment": caller.environment.value}
            )
        if self._status >= 500:
            self._span.fail(str(self._status))


def _is_acceptable(request_id: str) -> bool:
    """It is logged, stored and repeated: a secret put there by mistake is not taken."""
    return _ACCEPTABLE_ID.fullmatch(request_id) is not None and masked(request_id) == request_id


def _as_api_error(error: Exception) -> APIError:
    if isinstance(error, APIError):
        return error
    if passes_by_itself(error) or isinstance(error, OSError):
        return Unavailable()
    return InternalError()


def _refused(request: Request, error: APIError) -> Refusal:
    render: Renderer = getattr(request.state, "refuse", _usual)
    return render(error, request.headers.get("accept-language"))


def _usual(error: APIError, accept_language: str | None) -> Refusal:
    language = negotiate_language(accept_language)
    return Refusal(error.status, error.code, language, failure(error, language))


def _error_response(error: APIError, refusal: Refusal) -> Response:
    headers: dict[str, str] = {"Content-Language": refusal.language}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = error.allow
    return json_response(refusal.body, refusal.status, headers)


async def render_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette's router refuses (an unknown path, a wrong method), in our envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    refusal = method_not_allowed(request.method) if status == 405 else NotFound()
    return _error_response(refusal, _refused(request, refusal))
