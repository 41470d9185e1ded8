"""The URL of a workflow that a webhook starts, and its secret."""

import hmac
from datetime import datetime, timedelta
from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, NotFound, Problem
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.workflows import queries as workflow_queries
from bivelio_server.workflows.hooks import queries
from bivelio_server.workflows.hooks.endpoint import PATH
from bivelio_server.workflows.hooks.models import WorkflowHook
from bivelio_server.workflows.hooks.schemas import Hook, HookReference, HookRotation, HookSecretRotate, HookWithSecret
from bivelio_server.workflows.hooks.secrets import generate, opened, place_of

feature: Final = Feature("workflows")


@feature.operation(
    "get_hook", scope=Scope.read, effect=Effect.read, errors=[NotFound, Conflict],
    summary=Text("Obtiene la URL que inicia un workflow", "Get the URL that starts a workflow"),
)  # fmt: skip
async def get_hook(context: Context, data: HookReference) -> Hook:
    return _view(context, await _hook(context, data.workflow_id))


@feature.operation(
    "rotate_hook_secret", scope=Scope.admin, effect=Effect.transactional, secret_output=True,
    errors=[NotFound, Conflict, Impossible],
    doors=DIRECT_DOORS, doors_reason="an automation must not be able to give itself credentials",
    summary=Text("Da un secreto nuevo a la URL que inicia un workflow", "Give the URL of a workflow a new secret"),
)  # fmt: skip
async def rotate_hook_secret(context: Context, data: HookSecretRotate) -> HookWithSecret:
    row = await _hook(context, data.workflow_id, lock=True)
    now = context.services.clock.outside()
    _require_calm(row, data.grace_seconds, now)
    place = place_of(row.org_id, row.environment, row.id)
    if data.secret is not None:
        _require_another(opened(context.services.cipher, row, place, now), data.secret)
    secret = data.secret or generate()
    _keep_previous(row, data.grace_seconds, now)
    row.secret, row.rotated_at = context.services.cipher.encrypt(secret, row=place), now
    await context.session.flush()
    return HookWithSecret(secret=secret, **_view(context, row).model_dump())


async def _hook(context: Context, workflow_id: str, *, lock: bool = False) -> WorkflowHook:
    """Raises NotFound, Conflict for a workflow that is started otherwise."""
    workflow = await workflow_queries.get(context, workflow_id, field="workflow_id", lock=lock)
    row = await queries.find(context, workflow.id) if workflow.trigger_type == "webhook" else None
    if row is None:
        raise Conflict(_NO_HOOK, details={"trigger_type": workflow.trigger_type})
    return row


def _require_calm(row: WorkflowHook, grace_seconds: int, now: datetime) -> None:
    """A second rotation within the grace of the first would end a secret that somebody may still use."""
    if grace_seconds and row.previous_until is not None and row.previous_until > now:
        raise Conflict(_ROTATING, details={"ends_at": row.previous_until})


def _require_another(present: list[str], given: str) -> None:
    if any(hmac.compare_digest(secret.encode(), given.encode()) for secret in present):
        raise Impossible(Problem("secret", "different", _SAME))


def _keep_previous(row: WorkflowHook, grace_seconds: int, now: datetime) -> None:
    keeps = bool(grace_seconds) and row.secret is not None
    row.previous_secret = row.secret if keeps else None
    row.previous_until = now + timedelta(seconds=grace_seconds) if keeps else None


def _view(context: Context, row: WorkflowHook) -> Hook:
    return Hook(
        workflow_id=row.workflow_id,
        url=context.services.settings.address + PATH.format(hook_id=row.id),
        secret_set_at=row.rotated_at,
        rotation=_rotation(row, context.services.clock.outside()),
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _rotation(row: WorkflowHook, now: datetime) -> HookRotation | None:
    if row.previous_until is None or row.previous_until <= now:
        return None
    return HookRotation(ends_at=row.previous_until, seconds_left=round((row.previous_until - now).total_seconds()))


_NO_HOOK: Final = Text(
    'Este workflow no se inicia por webhook: dale antes el trigger {"type": "webhook"}.',
    'This workflow is not started by a webhook: give it the trigger {"type": "webhook"} first.',
)
_ROTATING: Final = Text(
    "Ya hay un cambio de secreto en curso; espera a que termine, o pide grace_seconds: 0 para que valga solo el nuevo.",
    "A secret is being rotated already; wait for its end, or ask for grace_seconds: 0 so that only the new one holds.",
)
_SAME: Final = Text(
    "El campo 'secret' debe ser distinto del secreto actual.",
    "The field 'secret' must differ from the present secret.",
)
