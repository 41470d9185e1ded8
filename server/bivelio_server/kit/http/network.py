"""Sockets of the outgoing door: every connection goes to an address that was checked first.

The stream below replaces httpcore2's own for two reasons: it tells a TLS failure from a TCP one, and it knows
without a system call whether an idle connection was closed, which the pool asks of each one at every request.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, TypeAlias, cast

import httpcore2

from bivelio_server.kit.addresses import Address, Network, literal_address
from bivelio_server.kit.http.errors import ConnectFailed, DnsFailed, TlsFailed
from bivelio_server.kit.http.targets import check_addresses

Resolver: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Takes a name and a port, returns the name's addresses as text. Raises `OSError` if there are none."""

_READ_AHEAD = 256 * 1024
_ATTEMPT_SECONDS = 3.0
_MOST_ADDRESSES = 4


class ThreadResolver:
    """The system's resolver, in threads of its own: slow name servers must hold up nothing else."""

    def __init__(self, threads: int = 32) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="dns")

    async def __call__(self, name: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._executor, _look_up, name, port)
        return [str(entry[4][0]) for entry in found]

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


def _look_up(name: str, port: int) -> list[Any]:
    return socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, checks all of its addresses and connects to one of those, never to the name."""

    def __init__(self, resolve: Resolver, private_networks: Sequence[Network]) -> None:
        self._resolve = resolve
        self._private_networks = private_networks

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore2's signature; `request` bounds the whole exchange
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore2.AsyncNetworkStream:
        addresses = await self._addresses(host, port)
        check_addresses(host, addresses, port, self._private_networks)
        return await _connect_any(host, addresses[:_MOST_ADDRESSES], port)

    async def _addresses(self, host: str, port: int) -> list[Address]:
        literal = literal_address(host)
        if literal is not None:
            return [literal]
        try:
            found = await self._resolve(host, port)
        except OSError as error:
            raise DnsFailed(f"{host} does not resolve") from error
        addresses = [ip_address(text) for text in dict.fromkeys(found)]
        if not addresses:
            raise DnsFailed(f"{host} has no address")
        return addresses


async def _connect_any(host: str, addresses: Sequence[Address], port: int) -> "SocketStream":
    """Try the addresses in the resolver's order; only the last one may use up the caller's time."""
    for address in addresses[:-1]:
        try:
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                return await SocketStream.connect(address, port)
        except OSError:
            continue
    try:
        return await SocketStream.connect(addresses[-1], port)
    except OSError as error:
        raise ConnectFailed(f"no connection to {host} on port {port}") from error


class SocketStream(httpcore2.AsyncNetworkStream, asyncio.Protocol):
    """A TCP connection, later perhaps its TLS session. One reader and one writer at a time.

    Time limits are the caller's: the `timeout` of every method is ignored.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._ended = False
        self._broken: Exception | None = None
        self._paused = False
        self._wakeup: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def connect(cls, address: Address, port: int) -> "SocketStream":
        _, stream = await asyncio.get_running_loop().create_connection(cls, str(address), port)
        return stream

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - httpcore2's signature
    ) -> httpcore2.AsyncNetworkStream:
        assert self._transport is not None
        if self._received or self._ended:
            # Bytes from before the handshake are nobody's: kept, they would pass for the server's answer.
            self._transport.abort()
            raise TlsFailed(f"no TLS session with {server_hostname}: it does not speak TLS")
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, self, ssl_context, server_hostname=server_hostname)
        except OSError as error:
            self._transport.abort()
            reason = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else "handshake failed"
            raise TlsFailed(f"no TLS session with {server_hostname}: {reason}") from error
        except BaseException:
            self._transport.abort()
            raise
        if transport is None:
            raise TlsFailed(f"no TLS session with {server_hostname}: closed during the handshake")
        self._transport = transport
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002, ASYNC109 - as above
        if not self._received and not self._ended:
            self._wakeup = asyncio.get_running_loop().create_future()
            try:
                await self._wakeup
            finally:
                self._wakeup = None
        if not self._received and self._broken is not None:
            raise httpcore2.ReadError("the connection broke") from self._broken
        data = bytes(self._received[:max_bytes])
        del self._received[:max_bytes]
        self._resume_reading()
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - as above
        assert self._transport is not None
        if self._transport.is_closing():
            raise httpcore2.WriteError("the connection is closed")
        if buffer:
            self._transport.write(buffer)
            await self._writable.wait()

    async def aclose(self) -> None:
        # Not `close()`: it waits for the peer's part of a TLS shutdown, and nothing worth sending is left.
        if self._transport is not None:
            self._transport.abort()

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":
            return bool(self._received) or self._ended
        return None if self._transport is None else self._transport.get_extra_info(info)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an assertion: uvloop's transports have the interface and not the base class.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) > _READ_AHEAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self._ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._broken = exc
        self._ended = True
        self._writable.set()
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _resume_reading(self) -> None:
        if self._paused and self._transport is not None and len(self._received) <= _READ_AHEAD:
            self._paused = False
            self._transport.resume_reading()

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)
