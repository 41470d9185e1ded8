"""What is known of a request before anybody reads it: who sends it, and how many more may follow."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from math import ceil

from starlette.requests import Request

from bivelio_server.kit.addresses import Network
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.errors import APIError, TooManyRequests
from bivelio_server.kit.streaming import Credentials
from bivelio_server.kit.text import Text


@dataclass(frozen=True, slots=True)
class Limits:
    """The window that a request was charged to. `retry_after` is in seconds, 0 when the request may come in."""

    per_minute: int
    per_second: int
    remaining: int
    resets_at: datetime
    retry_after: int
    burst: bool

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", str(self.per_minute).encode()),
            (b"x-ratelimit-remaining", str(self.remaining).encode()),
            (b"x-ratelimit-reset", str(ceil(self.resets_at.timestamp())).encode()),
        ]

    def require_room(self) -> None:
        """Raises TooManyRequests."""
        if self.retry_after:
            number, unit = (self.per_second, _SECOND) if self.burst else (self.per_minute, _MINUTE)
            text = _TOO_MANY.format(limit=number)
            raise TooManyRequests(Text(text.es + unit.es, text.en + unit.en), retry_after=self.retry_after)


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who sends the request with which credentials, or why that is not known. `limits` is None where there are none."""

    caller: Caller | None
    refusal: APIError | None
    limits: Limits | None
    address: str
    credentials: Credentials | None = None

    def require_caller(self) -> Caller:
        """Raises NotAuthenticated, CredentialsExpired, InsufficientScope."""
        if self.caller is None:
            assert self.refusal is not None
            raise self.refusal
        return self.caller


def client_address(request: Request, trusted_proxies: tuple[Network, ...]) -> str:
    """Where the request comes from: the nearest address that is no proxy of ours.

    What a proxy that we trust says of its own caller is believed, and nothing else of `X-Forwarded-For`.
    """
    address = request.client.host if request.client else ""
    forwarded = [part.strip() for value in request.headers.getlist("x-forwarded-for") for part in value.split(",")]
    while forwarded and _is_in(address, trusted_proxies):
        address = forwarded.pop()
    return address[:64]


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


_TOO_MANY = Text(
    "Has excedido el límite de {limit} peticiones por ", "You have exceeded the limit of {limit} requests per "
)
_MINUTE = Text("minuto.", "minute.")
_SECOND = Text("segundo.", "second.")
