"""Sending through SMTP, one connection a message."""

import hashlib
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

import aiosmtplib

from bivelio_server.integrations.smtp.server import SmtpServer
from bivelio_server.kit.caller import Caller
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.kit.text import Text
from bivelio_server.mail.port import Message, one_line

TIMEOUT_SECONDS: Final = 20.0
#: Replies of 500 and more are for good.
_PERMANENT: Final = 500
_MAX_REPLY: Final = 500


class SmtpMailer:
    """`Mailer` through one server. With a password it insists on TLS."""

    def __init__(
        self,
        server: SmtpServer,
        clock: Clock,
        *,
        tls_context: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._server = server
        self._clock = clock
        self._tls_context = tls_context
        self._timeout_seconds = timeout_seconds

    async def send(self, message: Message, idempotency_key: str) -> None:
        server = self._server
        try:
            async with self._connection() as connection:
                if server.username is not None:
                    await connection.login(server.username, server.password or "")
                await connection.send_message(
                    self._render(message, idempotency_key), sender=server.sender, recipients=[message.to]
                )
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as error:
            raise _refusal(error) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise IntegrationFailed(_AWAY, details={"reason": type(error).__name__}) from None

    def _connection(self) -> aiosmtplib.SMTP:
        server = self._server
        start_tls = None if server.username is None else True
        return aiosmtplib.SMTP(
            hostname=server.host, port=server.port, use_tls=server.tls, start_tls=False if server.tls else start_tls,
            timeout=self._timeout_seconds, tls_context=self._tls_context,
        )  # fmt: skip

    def _render(self, message: Message, idempotency_key: str) -> EmailMessage:
        server = self._server
        rendered = EmailMessage(policy=SMTP_POLICY)
        rendered["From"] = Address(one_line(server.sender_name), addr_spec=server.sender)
        rendered["To"] = Address(message.name or "", addr_spec=message.to)
        rendered["Subject"] = message.subject
        rendered["Date"] = format_datetime(self._clock.outside())
        rendered["Message-ID"] = message_id(idempotency_key, server.sender)
        rendered["Auto-Submitted"] = "auto-generated"
        rendered.set_content(message.text, cte="quoted-printable")
        return rendered


def smtp_mailer(services: Services, _caller: Caller) -> SmtpMailer | None:
    """The operator's server, if there is one; the same for every organisation."""
    url = services.settings.smtp_url
    return None if url is None else SmtpMailer(_server(url.get_secret_value()), services.clock)


def message_id(idempotency_key: str, sender: str) -> str:
    """The same for the same key, so that whoever receives a message twice can tell."""
    return f"<{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}@{sender.rpartition('@')[2]}>"


_server = lru_cache(maxsize=4)(SmtpServer.at)


def _refusal(error: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPResponseException) -> IntegrationFailed:
    """By the reply's code; a wrong password may be put right, and the message then be sent."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        code, reply = error.recipients[0].code, error.recipients[0].message
    else:
        code, reply = error.code, error.message
    details = {"reply": one_line(f"{code} {reply}")[:_MAX_REPLY]}
    if code >= _PERMANENT and not isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return IntegrationRefused(_REFUSED, details=details)
    return IntegrationFailed(_AWAY, details=details)


_REFUSED: Final = Text("El servidor de correo ha rechazado el mensaje.", "The mail server has refused the message.")
_AWAY: Final = Text(
    "El servidor de correo no acepta el mensaje ahora.", "The mail server does not take the message now."
)
