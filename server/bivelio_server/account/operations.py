"""The person who is signed in: password, second factor, sessions. A key never gets here."""

from typing import Any, Final

from bivelio_server.account import queries
from bivelio_server.account.schemas import (
    AccountView,
    BegunSecondFactor,
    EndedSessions,
    LeftOrganization,
    PasswordChange,
    RecoveryCodes,
    SecondFactorBegin,
    SecondFactorConfirm,
    SecondFactorProof,
    SessionList,
    SessionReference,
    SessionView,
)
from bivelio_server.accounts.passwords import PasswordCheck, refuse_weak
from bivelio_server.accounts.second_factor import (
    matching_step,
    new_recovery_codes,
    new_totp_secret,
    place_of,
    provisioning_uri,
    recovery_digest,
    require_second_factor,
)
from bivelio_server.accounts.throttle import forgive, forgive_code, throttle_account, throttle_code
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.changes import MASK
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, NotAuthenticated, NotFound, Problem, TooManyRequests
from bivelio_server.kit.ids import uuid_of
from bivelio_server.kit.models import Nothing
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature, Who
from bivelio_server.kit.text import Text
from bivelio_server.members.membership import leave, role_of

feature: Final = Feature("account", doors=DIRECT_DOORS, doors_reason="only the person may act on their own credentials")
_check_password: Final = PasswordCheck()


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, who=Who.person,
    summary=Text("Obtiene tu cuenta", "Get your account"),
)  # fmt: skip
async def get(context: Context, data: Nothing) -> AccountView:  # noqa: ARG001 - every operation takes one
    account, caller = await queries.account(context), context.caller
    return AccountView(
        user_id=caller.user_id, email=account.email, name=account.name, organization_id=caller.org_id,
        environment=caller.environment.value, role=await role_of(context), has_password=bool(account.password_hash),
        second_factor=account.second_factor_since is not None, second_factor_since=account.second_factor_since,
        recovery_codes_left=account.recovery_codes_left, created_at=account.created_at,
    )  # fmt: skip


@feature.operation(
    "change_password", scope=Scope.read, effect=Effect.transactional, who=Who.person,
    errors=[Impossible, TooManyRequests],
    summary=Text("Cambia tu contraseña y cierra tus otras sesiones", "Change your password, end your other sessions"),
)  # fmt: skip
async def change_password(context: Context, data: PasswordChange) -> EndedSessions:
    account = await _proven(context, data.current_password, field="current_password")
    refuse_weak(data.new_password, account.email, "new_password")
    await queries.set_password(context, await _check_password.hashed(data.new_password))
    _note(context, password=MASK)
    return EndedSessions(ended=await queries.end_other_sessions(context))


@feature.operation(
    "begin_second_factor", scope=Scope.read, effect=Effect.transactional, who=Who.person, secret_output=True,
    errors=[Conflict, TooManyRequests],
    summary=Text("Empieza a activar el segundo factor", "Begin to turn the second factor on"),
)  # fmt: skip
async def begin_second_factor(context: Context, data: SecondFactorBegin) -> BegunSecondFactor:
    account = await _proven(context, data.password)
    secret = new_totp_secret()
    sealed = context.services.cipher.encrypt(secret, row=place_of(context.caller.user_id))
    if not await queries.begin_second_factor(context, sealed):
        raise Conflict(_IN_USE)
    return BegunSecondFactor(secret=secret, otpauth_uri=provisioning_uri(secret, account.email))


@feature.operation(
    "confirm_second_factor", scope=Scope.read, effect=Effect.transactional, who=Who.person, secret_output=True,
    errors=[Conflict, Impossible, TooManyRequests],
    summary=Text("Activa el segundo factor con un primer código", "Turn the second factor on with a first code"),
)  # fmt: skip
async def confirm_second_factor(context: Context, data: SecondFactorConfirm) -> RecoveryCodes:
    account = await queries.account(context)
    if account.second_factor_since is not None or account.second_factor_secret is None:
        raise Conflict(_IN_USE if account.second_factor_since else _NOT_BEGUN)
    await throttle_code(context.services, context.caller.user_id)
    secret = context.services.cipher.decrypt(account.second_factor_secret, row=place_of(context.caller.user_id))
    step = matching_step(secret, data.code, context.now)
    if step is None:
        raise Impossible(Problem("code", "code", _WRONG_CODE))
    codes = new_recovery_codes()
    digests = [recovery_digest(code) for code in codes]
    if not await queries.confirm_second_factor(context, account.second_factor_secret, step, digests):
        raise Conflict(_NOT_BEGUN)
    await forgive_code(context.services, context.caller.user_id)
    _note(context, second_factor=True)
    return RecoveryCodes(recovery_codes=codes)


@feature.operation(
    "disable_second_factor", scope=Scope.read, effect=Effect.transactional, who=Who.person,
    errors=[Conflict, TooManyRequests],
    summary=Text("Desactiva el segundo factor", "Turn the second factor off"),
)  # fmt: skip
async def disable_second_factor(context: Context, data: SecondFactorProof) -> AccountView:
    await _proven_twice(context, data)
    await queries.drop_second_factor(context)
    _note(context, second_factor=False)
    return await get(context, Nothing())


@feature.operation(
    "new_recovery_codes", scope=Scope.read, effect=Effect.transactional, who=Who.person, secret_output=True,
    errors=[Conflict, TooManyRequests],
    summary=Text("Cambia los códigos de recuperación", "Replace the recovery codes"),
)  # fmt: skip
async def replace_recovery_codes(context: Context, data: SecondFactorProof) -> RecoveryCodes:
    await _proven_twice(context, data)
    codes = new_recovery_codes()
    await queries.replace_recovery_codes(context, [recovery_digest(code) for code in codes])
    _note(context, recovery_codes=MASK)
    return RecoveryCodes(recovery_codes=codes)


@feature.operation(
    "list_sessions", scope=Scope.read, effect=Effect.read, who=Who.person,
    summary=Text("Lista tus sesiones abiertas", "List your open sessions"),
)  # fmt: skip
async def list_sessions(context: Context, data: Nothing) -> SessionList:  # noqa: ARG001 - every operation takes one
    current = context.caller.session_id
    rows = await queries.sessions(context)
    return SessionList(sessions=[SessionView(current=row.id == current, **row._asdict()) for row in rows])


@feature.operation(
    "revoke_session", scope=Scope.read, effect=Effect.transactional, who=Who.person, errors=[NotFound],
    summary=Text("Cierra una de tus sesiones", "End one of your sessions"),
)  # fmt: skip
async def revoke_session(context: Context, data: SessionReference) -> EndedSessions:
    if not await queries.end_session(context, uuid_of(data.session_id, "session_id")):
        raise NotFound("session_id")
    return EndedSessions(ended=1)


@feature.operation(
    "revoke_other_sessions", scope=Scope.read, effect=Effect.transactional, who=Who.person,
    summary=Text("Cierra todas tus sesiones menos esta", "End all your sessions but this one"),
)  # fmt: skip
async def revoke_other_sessions(context: Context, data: Nothing) -> EndedSessions:  # noqa: ARG001 - every operation takes one
    return EndedSessions(ended=await queries.end_other_sessions(context))


@feature.operation(
    "sign_out", scope=Scope.read, effect=Effect.transactional, who=Who.person,
    summary=Text("Cierra esta sesión", "End this session"),
)  # fmt: skip
async def sign_out(context: Context, data: Nothing) -> EndedSessions:  # noqa: ARG001 - every operation takes one
    assert context.caller.session_id is not None
    return EndedSessions(ended=int(await queries.end_session(context, context.caller.session_id)))


@feature.operation(
    "leave_organization", scope=Scope.read, effect=Effect.transactional, who=Who.person, irreversible=True,
    live_only=True, errors=[Conflict],
    summary=Text("Abandona la organización de esta sesión", "Leave the organisation of this session"),
)  # fmt: skip
async def leave_organization(context: Context, data: Nothing) -> LeftOrganization:  # noqa: ARG001 - every operation takes one
    await leave(context)
    return LeftOrganization(organization_id=context.caller.org_id)


def _note(context: Context, **after: Any) -> None:
    """The audit log has this from us: what belongs to a person alone is written by definer functions."""
    context.changed("users", str(context.caller.user_id), {}, after)


async def _proven_twice(context: Context, data: SecondFactorProof) -> None:
    account = await _proven(context, data.password)
    if account.second_factor_since is None:
        raise Conflict(_NOT_IN_USE)
    await require_second_factor(context.services, context.caller.user_id, account.second_factor_secret, data.code)


async def _proven(context: Context, password: str, field: str = "password") -> Any:
    """The account, once its password was right: a session left open must not be enough to lock its owner out."""
    account = await queries.account(context)
    await throttle_account(context.services, account.email)
    if not await _check_password(password, account.password_hash):
        raise NotAuthenticated(_WRONG_PASSWORD, details={"field": field})
    await forgive(context.services, account.email)
    return account


_WRONG_PASSWORD: Final = Text("La contraseña no es correcta.", "The password is not right.")
_WRONG_CODE: Final = Text("El código no es el de la aplicación ahora.", "The code is not that of the app now.")
_IN_USE: Final = Text("El segundo factor ya está activado.", "The second factor is on already.")
_NOT_IN_USE: Final = Text("El segundo factor no está activado.", "The second factor is not on.")
_NOT_BEGUN: Final = Text(
    "Empieza antes con account.begin_second_factor.", "Begin with account.begin_second_factor first."
)
