"""The e-mail that carries an invitation."""

from typing import Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import IntegrationRefused
from bivelio_server.kit.text import DEFAULT_LANGUAGE, LANGUAGES, Text
from bivelio_server.mail import Message, outbox
from bivelio_server.members import queries


async def mail_invitation(context: Context, email: str, link: str) -> bool:
    """Whether the link goes out, in the language of the organisation; else whoever invites must hand it over."""
    name, locale = await queries.name_and_locale(context)
    language = LANGUAGES.get(locale[:2], DEFAULT_LANGUAGE)
    try:
        message = Message(
            email,
            _SUBJECT.in_language(language).format(organization=name),
            _BODY.in_language(language).format(organization=name, link=link),
        )
    except IntegrationRefused:
        return False
    return await outbox.enqueue(context, message)


_SUBJECT: Final = Text("Invitación a {organization}", "Invitation to {organization}")
_BODY: Final = Text(
    "Te invitan a entrar en {organization}. Acepta aquí, en los próximos siete días:\n\n{link}\n\n"
    "Si no esperabas esta invitación, no hagas nada.\n",
    "You are invited to join {organization}. Accept here, within seven days:\n\n{link}\n\n"
    "If you did not expect this invitation, do nothing.\n",
)
