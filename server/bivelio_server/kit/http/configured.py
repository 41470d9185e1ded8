"""The way out for client libraries of one provider, which the operator has configured.

Its address may be private: a model on this machine, a gateway. It is the operator's word, not a user's. What holds of
`OutgoingHttp` holds here, too: sockets and pool are the same, no proxy, no redirect to another origin, no compressed
answer, and never more than so many bytes. Time is limited by whoever calls.
"""

import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from typing import Final, cast

import httpcore2
import httpx2

from bivelio_server.kit.http.client import REQUESTS, SECONDS
from bivelio_server.kit.http.errors import OutgoingError
from bivelio_server.kit.http.network import CheckedBackend, ThreadResolver
from bivelio_server.kit.http.pool import ConnectionPool
from bivelio_server.kit.http.targets import parse_target

_EVERY_NETWORK: Final = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_MAX_CONNECTIONS: Final = 64


def configured_client(url: str, *, provider: str, max_response_bytes: int) -> httpx2.AsyncClient:
    """A client that reaches the origin of `url` and no other. Raises `UrlInvalid`."""
    transport = ConfiguredTransport(url, provider=provider, max_response_bytes=max_response_bytes)
    # Without a limit of its own: the caller's covers everything.
    return httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False)


class ConfiguredTransport(httpx2.AsyncBaseTransport):
    """Raises httpx2's errors, which client libraries know."""

    def __init__(self, url: str, *, provider: str, max_response_bytes: int) -> None:
        self._origin = parse_target(url).origin
        self._provider = provider
        self._max_bytes = max_response_bytes
        self._threads = ThreadResolver(threads=4)
        backend = CheckedBackend(self._threads, _EVERY_NETWORK)
        self._pool = ConnectionPool(backend, httpcore2.default_ssl_context(), _MAX_CONNECTIONS)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if parse_target(str(request.url)).origin != self._origin:
            raise httpx2.UnsupportedProtocol("the provider leads to another server", request=request)
        held = AsyncExitStack()
        started = time.monotonic()
        try:
            answer = await self._answer(request, held)
        except BaseException as error:
            await held.aclose()
            REQUESTS.labels(self._provider, _code_of(error)).inc()
            raise
        REQUESTS.labels(self._provider, f"{answer.status // 100}xx").inc()
        held.callback(lambda: SECONDS.labels(self._provider).observe(time.monotonic() - started))
        body = _Body(answer, held, self._max_bytes)
        return httpx2.Response(answer.status, headers=answer.headers, stream=body, request=request)

    async def aclose(self) -> None:
        await self._pool.aclose()
        self._threads.close()

    async def _answer(self, request: httpx2.Request, held: AsyncExitStack) -> httpcore2.Response:
        # A compressed answer would have to be unpacked, and a few bytes unpack to gigabytes.
        headers = [(name, value) for name, value in request.headers.raw if name.lower() != b"accept-encoding"]
        wire = httpcore2.Request(
            request.method,
            httpcore2.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=[*headers, (b"accept-encoding", b"identity")],
            content=cast("httpx2.AsyncByteStream", request.stream),
        )
        try:
            connection = await held.enter_async_context(self._pool.connection(self._origin))
            answer = await connection.handle_async_request(wire)
        except (OutgoingError, httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _translated(error, request) from error
        held.push_async_callback(answer.aclose)
        return answer


class _Body(httpx2.AsyncByteStream):
    """An answer's body; closing it gives the connection back."""

    def __init__(self, answer: httpcore2.Response, held: AsyncExitStack, max_bytes: int) -> None:
        self._answer = answer
        self._held = held
        self._max_bytes = max_bytes
        self._read = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Not `aiter_stream`: libraries that stop at the last event come back to read what is left.
        assert isinstance(self._answer.stream, AsyncIterable)
        try:
            async for chunk in self._answer.stream:
                self._read += len(chunk)
                if self._read > self._max_bytes:
                    raise httpx2.RemoteProtocolError(f"the answer has more than {self._max_bytes} bytes")
                yield chunk
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        await self._held.aclose()


def _translated(
    error: OutgoingError | httpcore2.NetworkError | httpcore2.ProtocolError, request: httpx2.Request | None = None
) -> httpx2.TransportError:
    if isinstance(error, OutgoingError):
        return httpx2.ConnectError(error.message, request=request)
    if isinstance(error, httpcore2.ProtocolError):
        return httpx2.RemoteProtocolError(str(error) or "the connection ended early", request=request)
    return httpx2.ReadError(str(error) or "the connection broke", request=request)


def _code_of(error: BaseException) -> str:
    """As the figures name it; what ends a request from outside is the caller's time limit."""
    cause = error.__cause__
    if isinstance(cause, OutgoingError):
        return cause.code
    if isinstance(error, httpx2.RemoteProtocolError):
        return "protocol_error"
    return "connection_lost" if isinstance(error, httpx2.TransportError) else "timeout"
