"""E-mails: what they say, and what is attached to them."""

from email import policy
from email.errors import MessageError
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Final

from bivelio_server.kit.media_types import HTML
from bivelio_server.reading.child import html
from bivelio_server.reading.child.task import Task, check_text, refuse
from bivelio_server.reading.child.texts import without_pages
from bivelio_server.reading.port import Attachment, Reading

ENGINE: Final = "email"
_HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")
_MAX_ATTACHMENTS: Final = 100


def read(task: Task, mime_type: str) -> Reading:
    try:
        message = BytesParser(EmailMessage, policy=policy.default).parsebytes(task.content)
        text = "\n".join(_headers(message)) + "\n\n" + _body(message)
        attachments = [_attachment(part, number) for number, part in enumerate(message.iter_attachments(), 1)]
    except (MessageError, ValueError, LookupError, TypeError, AttributeError):  # the parser's own, on hostile mail
        refuse("damaged")
    check_text(len(text))
    return without_pages(mime_type, text, ENGINE, attachments[:_MAX_ATTACHMENTS])


def _headers(message: EmailMessage) -> list[str]:
    return [f"{name}: {message[name]}" for name in _HEADERS if message[name]]


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    text = str(part.get_content())
    return html.text_of(text) if part.get_content_type() == HTML else text


def _attachment(part: EmailMessage, number: int) -> Attachment:
    name = part.get_filename() or f"{number}"
    if part.get_content_type() == "message/rfc822":
        return Attachment(name, part.get_payload(0).as_bytes())  # type: ignore[union-attr]  # a message, by its type
    content = part.get_payload(decode=True)
    return Attachment(name, content if isinstance(content, bytes) else b"")
