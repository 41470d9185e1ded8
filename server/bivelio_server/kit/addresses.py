"""Which network addresses the server may call on somebody else's behalf.

`ipaddress.is_global` is not used: on Python 3.11 it holds for NAT64, 6to4, site-local and multicast.
"""

import socket
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

_REFUSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, and Alibaba Cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's platform address: public by number, private by meaning
        "169.254.0.0/16",  # link-local, and the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments, and Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast relays
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    )
)
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # returned 6bone space
        "3fff::/20",  # documentation
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")


def is_reachable(address: Address, private_networks: Sequence[Network] = ()) -> bool:
    """True if the address is public, or opened by the operator in `private_networks`."""
    real = unwrapped(address)
    return is_public(real) or any(address in network or real in network for network in private_networks)


def is_public(address: Address) -> bool:
    """True if the address belongs to the public Internet, and so does the IPv4 address it may wrap."""
    real = unwrapped(address)
    if isinstance(real, IPv4Address):
        return not any(real in network for network in _REFUSED_V4)
    return real in _GLOBAL_UNICAST and not any(real in network for network in _REFUSED_V6)


def unwrapped(address: Address) -> Address:
    """The IPv4 address that a mapped, NAT64 or 6to4 address finally reaches; any other address itself."""
    if isinstance(address, IPv4Address):
        return address
    number = int(address)
    if address in _MAPPED or address in _NAT64:
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((number >> 80) & 0xFFFFFFFF)
    return address


def literal_address(host: str) -> Address | None:
    """The address that an ASCII URL host spells, `None` if it is a name.

    Reads every spelling a C library connects to: `127.1`, `2130706433`, `0x7f.1`, `0177.0.0.1`. Raises
    `ValueError` for a host that can be neither: one with colons or a last label that is a number, and yet no
    address.
    """
    host = host.removeprefix("[").removesuffix("]")
    if ":" in host:
        if "%" in host:
            raise AddressValueError(f"{host!r} names an interface of this machine")
        return IPv6Address(host)
    host = host.removesuffix(".")
    if not _ends_in_number(host):
        return None
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError as error:
        raise AddressValueError(f"{host!r} is not an address") from error


def _ends_in_number(host: str) -> bool:
    """As in the URL standard: no top-level domain is a number, so such a host is meant as an IPv4 address."""
    last = host.rpartition(".")[2].lower()
    digits = last.removeprefix("0x")
    return last.isdigit() or (digits != last and all(digit in "0123456789abcdef" for digit in digits))
