"""What sending an e-mail means, whoever does it."""

import re
from dataclasses import dataclass, field
from typing import Final, Protocol

from email_validator import EmailNotValidError, validate_email

from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.providers import Port
from bivelio_server.kit.text import Text

#: Whatever some program might take for the end of a line, and everything else that does not print.
_BREAKS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff\ud800-\udfff]+")
_NOT_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")
_MAX_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class Message:
    """A plain-text message to one person.

    Subject and name are made one printable line: they may hold what anybody has typed. Lines of the text end in `\\n`.
    Raises IntegrationRefused for an address that cannot be one, or whose part before the @ is beyond ASCII.
    """

    to: str
    subject: str
    text: str = field(repr=False)
    name: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", _address(self.to))
        object.__setattr__(self, "subject", one_line(self.subject))
        object.__setattr__(self, "text", "\n".join(re.split(r"\r\n|\r|\n", _NOT_TEXT.sub("", self.text))))
        object.__setattr__(self, "name", one_line(self.name) if self.name else None)


class Mailer(Protocol):
    async def send(self, message: Message, idempotency_key: str) -> None:
        """Returns when the message has been taken over for delivery.

        Raises IntegrationFailed when it may be taken later, IntegrationRefused when it never will. `details.reply` is
        what the other side said, when it spoke. A message sent again under its key has the same Message-ID.
        """


MAIL: Final[Port[Mailer]] = Port("mail")


def one_line(text: str) -> str:
    """Printable, in one line, and not too long for a header."""
    return " ".join(_BREAKS.sub(" ", text).split())[:_MAX_LINE]


def _address(address: str) -> str:
    try:
        valid = validate_email(address, check_deliverability=False, strict=True, allow_smtputf8=False)
    except EmailNotValidError:
        raise IntegrationRefused(_NO_ADDRESS, details={"field": "to"}) from None
    return valid.ascii_email or valid.normalized


_NO_ADDRESS: Final = Text("La dirección de correo no es válida.", "The e-mail address is not valid.")
