"""SMTP: mail through the operator's own server.

`BIVELIO_SMTP_URL` is `smtp://user:password@host:587?from=BiVelio%20<avisos@example.com>`: STARTTLS where the server
offers it, required for a password; `smtps://host:465` speaks TLS from the start. Percent-encode what is not plain.
"""

from bivelio_server.integrations.smtp.mailer import SmtpMailer, smtp_mailer
from bivelio_server.integrations.smtp.server import SmtpServer

__all__ = ["SmtpMailer", "SmtpServer", "smtp_mailer"]
