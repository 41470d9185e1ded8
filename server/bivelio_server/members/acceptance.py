"""`POST /v1/auth/invitations/accept`: become a member. Bare like sign-in, since a new person has no credentials yet."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID, uuid4

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bivelio_server.accounts.passwords import NewPassword, Password, PasswordCheck, refuse_weak
from bivelio_server.accounts.roles import rights_of
from bivelio_server.accounts.second_factor import require_second_factor
from bivelio_server.accounts.sessions import Tokens, Visitor, digest_of, open_session
from bivelio_server.accounts.sign_in import WRONG_PASSWORD, Code, bare_reply, credentials_of, read_bare
from bivelio_server.accounts.throttle import forgive, throttle_address, throttle_sign_in
from bivelio_server.kit import audit
from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.door import method_not_allowed, read_json
from bivelio_server.kit.errors import (
    Conflict,
    CredentialsExpired,
    InsufficientScope,
    NotAuthenticated,
    Problem,
    ValidationFailed,
)
from bivelio_server.kit.execution import transaction
from bivelio_server.kit.models import Input, Name, normal_email
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.members import queries
from bivelio_server.members.models import Member

_MIN_PASSWORD: Final = 10
_AUDITED_AS: Final = "auth.accept_invitation"


class InvitationAnswer(Input):
    """A new person chooses a `password` (10 characters or more); who has an account proves it, or is signed in."""

    token: str = Field(max_length=200)
    password: Password | None = None
    name: Name | None = None
    code: str | None = Code


@dataclass(frozen=True, slots=True)
class OpenInvitation:
    """An invitation that can be accepted, as its token or its address found it."""

    org_id: UUID
    id: str
    email: str
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A person who has no account yet."""

    name: str | None
    password_hash: str


class AcceptInvitation:
    """The ASGI application at the path."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._check_password = PasswordCheck()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != "POST":
            raise method_not_allowed(request.method)
        request.state.operation = "auth.accept_invitation"
        answer: InvitationAnswer = read_bare(
            InvitationAnswer, await read_json(request, self._services.settings.max_body_bytes)
        )
        admitted: Admitted = request.state.admitted
        await throttle_address(self._services, admitted.address)
        invitation = await self._invitation(answer.token)
        user_id, newcomer = await self._person(request, answer, invitation)
        origin = Origin(Door.http, request.state.request_id, admitted.address)
        await accept(self._services, invitation, user_id, newcomer, origin)
        return bare_reply(await self._signed_in(request, invitation, user_id))

    async def _invitation(self, token: str) -> OpenInvitation:
        invitation = _acceptable(await queries.invitation_by_digest(self._services.database, digest_of(token)))
        if invitation is None:
            raise NotAuthenticated(_NOT_OPEN)
        if invitation.expires_at <= self._services.clock.now():
            raise CredentialsExpired(_EXPIRED)
        return invitation

    async def _person(
        self, request: Request, answer: InvitationAnswer, invitation: OpenInvitation
    ) -> tuple[UUID, Newcomer | None]:
        """Who accepts, proven: nobody takes over an account with an invitation to its address."""
        row = await credentials_of(self._services, invitation.email)
        if "authorization" in request.headers:
            caller = request.state.admitted.require_caller()
            if row is None or not caller.is_person or caller.user_id != row[0]:
                raise InsufficientScope(_FOR_ANOTHER)
            return caller.user_id, None
        if answer.password is None:
            raise ValidationFailed(Problem("password", "required", _PASSWORD_NEEDED))
        if row is None:
            return uuid4(), await self._newcomer(answer.password, answer.name, invitation.email)
        user_id, _, stored, sealed = row
        await throttle_sign_in(self._services, request.state.admitted.address, invitation.email)
        if not await self._check_password(answer.password, stored):
            raise NotAuthenticated(WRONG_PASSWORD)
        await require_second_factor(self._services, user_id, sealed, answer.code)
        await forgive(self._services, invitation.email)
        return user_id, None

    async def _newcomer(self, password: NewPassword, name: str | None, email: str) -> Newcomer:
        if len(password) < _MIN_PASSWORD:
            raise ValidationFailed(Problem("password", "min_length", _TOO_SHORT))
        refuse_weak(password, email, "password")
        return Newcomer(name, await self._check_password.hashed(password))

    async def _signed_in(self, request: Request, invitation: OpenInvitation, user_id: UUID) -> Tokens:
        tokens = await open_session(
            self._services, user_id, invitation.email, invitation.org_id, Environment.live, Visitor.of(request)
        )
        if tokens is None:
            raise NotAuthenticated(_NOT_OPEN)
        return tokens


async def find_invitation_to(services: Services, email: str) -> OpenInvitation | None:
    """The newest invitation to an address that can be accepted."""
    row = await queries.invitation_by_email(services.database, email, services.clock.now())
    return _acceptable(row)


async def accept(
    services: Services, invitation: OpenInvitation, user_id: UUID, newcomer: Newcomer | None, origin: Origin
) -> None:
    """Make the person a member, in one transaction with their account if it is new. Raises NotAuthenticated, Conflict.

    Who they are must have been proven before.
    """
    rights = rights_of(invitation.role)
    caller = Caller(invitation.org_id, Environment.live, f"user:{user_id}", user_id, rights)
    async with transaction(caller, services, origin) as context:
        await queries.hold_organization(context)
        await _use_up(context, invitation)
        if newcomer is not None:
            await _create(context, invitation.email, newcomer)
        if await queries.find_member(context, user_id) is None:
            context.session.add(
                Member(org_id=invitation.org_id, user_id=user_id, role=invitation.role, created_at=context.now)
            )
        await audit.write(context, _AUDITED_AS)


async def _use_up(context: Context, invitation: OpenInvitation) -> None:
    row = await queries.get_invitation(context, invitation.id)
    if not await queries.is_still_open(context, row.digest):
        raise NotAuthenticated(_NOT_OPEN)
    row.accepted_at, row.accepted_by = context.now, context.caller.user_id


def _acceptable(row: Any) -> OpenInvitation | None:
    """The invitation that was found. Whatever is no e-mail address must not become an account's."""
    if row is None:
        return None
    invitation = OpenInvitation(*row)
    try:
        normal_email(invitation.email)
    except FieldError:
        return None
    return invitation


async def _create(context: Context, email: str, newcomer: Newcomer) -> None:
    user_id = context.caller.user_id
    if not await queries.create_user(context, user_id, email, newcomer.name, newcomer.password_hash):
        raise Conflict(_KNOWN_MEANWHILE)


_NOT_OPEN: Final = Text(
    "La invitación no existe, ya se ha usado o se ha revocado.",
    "The invitation does not exist, was used already or was revoked.",
)
_EXPIRED: Final = Text("La invitación ha caducado; pide otra.", "The invitation has expired; ask for another.")
_FOR_ANOTHER: Final = Text("La invitación es para otra persona.", "The invitation is for somebody else.")
_PASSWORD_NEEDED: Final = Text(
    "Falta 'password': elige una, o da la tuya si ya tienes cuenta.",
    "'password' is missing: choose one, or give yours if you have an account.",
)
_TOO_SHORT: Final = Text(
    f"El campo 'password' debe tener al menos {_MIN_PASSWORD} caracteres.",
    f"The field 'password' must have at least {_MIN_PASSWORD} characters.",
)
_KNOWN_MEANWHILE: Final = Text(
    "Esa dirección acaba de registrarse; acepta la invitación con su contraseña.",
    "That address has just been registered; accept the invitation with its password.",
)
