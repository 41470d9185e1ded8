"""Which server, and as whom: read from one address."""

from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS: Final = {"smtp": 587, "smtps": 465}


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """`sender` is the address in From and in the envelope, `sender_name` the words before it."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None = field(repr=False)
    sender: str
    sender_name: str

    @classmethod
    def at(cls, url: str) -> "SmtpServer":
        """Raises ValueError, telling what the address lacks."""
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError("it must be smtp://host or smtps://host")
        name, sender = parseaddr(parse_qs(parts.query).get("from", [""])[0])
        if "@" not in sender:
            raise ValueError("it must end in ?from=address, the sender of the mail")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            tls=parts.scheme == "smtps",
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            sender=sender,
            sender_name=name or "BiVelio",
        )
