"""What can be said about a URL before anything is resolved."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address
from typing import TypeAlias

import httpx2

from bivelio_server.kit.addresses import Address, Network, is_reachable, literal_address
from bivelio_server.kit.http.errors import AddressRefused, UrlInvalid

Origin: TypeAlias = tuple[str, str, int]
"""Scheme, host and port."""

_DEFAULT_PORTS = {"http": 80, "https": 443}
_FIRST_FREE_PORT = 1024
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
_INTERNAL_NAME = re.compile(r"[^.]+|.+\.(localhost|localdomain|local|internal|intranet|lan|home|corp|home\.arpa)")
_LOOPBACK_NAME = re.compile(r"(.+\.)?localhost")


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once, so that what is checked is what is called."""

    scheme: str
    host: str
    """Lower case ASCII, without brackets or the root's dot."""
    port: int
    path: bytes
    """Path and query as sent."""
    address: Address | None
    """The address that the host spells, `None` for a name."""

    @property
    def origin(self) -> Origin:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The `Host` header's value."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    def join(self, location: str) -> "Target":
        """The target of a redirect to `location`, absolute or relative."""
        here = f"{self.scheme}://{self.authority}{self.path.decode('ascii')}"
        try:
            return parse_target(str(httpx2.URL(here).join(location)))
        except (httpx2.InvalidURL, ValueError) as error:
            raise UrlInvalid(f"{self.host} redirects to something that is not a valid URL") from error


def check_url(url: str, private_networks: Sequence[Network]) -> None:
    """Refuse a URL that could never be called: the part of the check that needs no resolver.

    Meant for the moment a URL is saved. Raises `UrlInvalid` or `AddressRefused`.
    """
    check_target(parse_target(url), private_networks)


def check_url_form(url: str) -> None:
    """Refuse what is no http(s) URL, wherever it leads. Raises `UrlInvalid`."""
    parse_target(url)


def check_target(target: Target, private_networks: Sequence[Network]) -> None:
    """`check_url` for a parsed target. A name passes; its addresses are judged when they are known."""
    if target.address is not None:
        check_addresses(target.host, [target.address], target.port, private_networks)
        return
    if _LOOPBACK_NAME.fullmatch(target.host) and not is_reachable(IPv4Address("127.0.0.1"), private_networks):
        raise AddressRefused(f"{target.host} is this machine")
    if private_networks:
        return
    if _INTERNAL_NAME.fullmatch(target.host):
        raise AddressRefused(f"{target.host} is not a public name")
    if not _is_public_port(target.port):
        raise AddressRefused(f"port {target.port} is not allowed; use 80, 443 or one from {_FIRST_FREE_PORT}")


def check_addresses(host: str, addresses: Sequence[Address], port: int, private_networks: Sequence[Network]) -> None:
    """Refuse `host` unless every one of its addresses may be called on `port`."""
    if not all(is_reachable(address, private_networks) for address in addresses):
        # The address itself is not told: it would map the inner network for whoever typed the URL.
        raise AddressRefused(f"{host} is not a public address")
    if _is_public_port(port):
        return
    if not all(any(address in network for network in private_networks) for address in addresses):
        raise AddressRefused(f"port {port} is not allowed; use 80, 443 or one from {_FIRST_FREE_PORT}")


@lru_cache(maxsize=2048)
def parse_target(url: str) -> Target:
    """Take a URL apart. Raises `UrlInvalid`."""
    try:
        parsed = httpx2.URL(url)
        host = parsed.raw_host.decode("ascii").removesuffix(".")
        address = literal_address(host) if host else None
    except (httpx2.InvalidURL, ValueError) as error:
        raise UrlInvalid("the URL is not valid") from error
    if parsed.scheme not in _DEFAULT_PORTS:
        raise UrlInvalid("the URL must start with http:// or https://")
    if parsed.userinfo or "@" in parsed.netloc.decode("ascii"):
        raise UrlInvalid("the URL must not carry a user or password; use a header")
    if address is None and not _NAME.fullmatch(host):
        raise UrlInvalid("the URL's host is not valid")
    port = _DEFAULT_PORTS[parsed.scheme] if parsed.port is None else parsed.port
    if not 0 < port < 65536:
        raise UrlInvalid("the URL's port is not valid")
    return Target(parsed.scheme, host, port, parsed.raw_path, address)


def _is_public_port(port: int) -> bool:
    return port in _DEFAULT_PORTS.values() or port >= _FIRST_FREE_PORT
