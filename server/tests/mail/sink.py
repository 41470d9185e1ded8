"""A real SMTP server in the test's own process, which keeps what it takes. Some recipients it refuses."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Sink:
    """`accounts` are the passwords by name; with any, nobody may send without signing in, and only by TLS."""

    accounts: dict[str, str] = field(default_factory=dict)
    taken: list[Envelope] = field(default_factory=list)
    signed_in: list[str] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    @property
    def messages(self) -> list[EmailMessage]:
        """As a reader of mail sees them."""
        return [message_from_bytes(raw, policy=policy.default) for raw in self.raw]

    @property
    def raw(self) -> list[bytes]:
        found = []
        for envelope in self.taken:
            assert isinstance(envelope.content, bytes)
            found.append(envelope.content)
        return found

    # The names below are aiosmtpd's.

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        local = address.partition("@")[0]
        if local == "bounce":
            return "550 5.1.1 No such user here"
        if local == "timeout":
            return "451 4.3.0 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return "250 Taken"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, login: Any) -> AuthResult:
        assert isinstance(login, LoginPassword)
        name = login.login.decode()
        good = self.accounts.get(name) == login.password.decode()
        if good:
            self.signed_in.append(name)
        return AuthResult(success=good, handled=False)


@asynccontextmanager
async def serving(
    sink: Sink, tls: ssl.SSLContext | None = None, *, from_the_start: bool = False
) -> AsyncIterator[Sink]:
    """The sink listening on `sink.port`; with `tls` it speaks TLS from the start, or offers STARTTLS."""

    def session() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not see that TLS is there from the start
            return SMTP(
                sink,
                hostname="sink.example.com",
                tls_context=None if from_the_start else tls,
                authenticator=sink.authenticate if sink.accounts else None,
                auth_required=bool(sink.accounts),
                auth_require_tls=bool(sink.accounts) and not from_the_start,
            )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(session, "127.0.0.1", 0, ssl=tls if from_the_start else None)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
