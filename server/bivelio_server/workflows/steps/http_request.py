"""`http_request`: a call to wherever the author says, through the guarded door.

What is sent is recorded before the call, so that after a crash the same call is made again, with the same key. Texts
that name secrets are the exception: they are rendered in memory, at the moment of the call, with the time that was
recorded; what is recorded of them has the secrets masked, and so has whatever comes back.
"""

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from bivelio_server.kit.caller import Scope as Right
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope, Problem, ValidationFailed
from bivelio_server.kit.http import OutgoingError, OutgoingResponse
from bivelio_server.kit.text import Text
from bivelio_server.workflows.definition import HttpRequestStep
from bivelio_server.workflows.expressions import ExpressionError, parse_template
from bivelio_server.workflows.instances import DEPTH_HEADER
from bivelio_server.workflows.problems import expression_problem
from bivelio_server.workflows.running.progress import Progress
from bivelio_server.workflows.running.scope import Scope
from bivelio_server.workflows.running.state import StepState
from bivelio_server.workflows.steps.http_exchange import Outgoing, failure_of, outgoing, output_of, redirects
from bivelio_server.workflows.vault.masking import MASK, Masking
from bivelio_server.workflows.vault.references import ROOT, SecretText, as_given, secret_names, secret_texts
from bivelio_server.workflows.vault.requiring import unknown_secret
from bivelio_server.workflows.vault.sealing import open_secrets

_MEMBER: Final = "http_request"
_USUAL_SECONDS: Final = 30
_MOST_SECONDS: Final = 3600


async def perform(progress: Progress, step: HttpRequestStep, state: StepState, scope: Scope) -> None:
    texts = list(secret_texts(as_given(step.http_request)))
    context = await progress.acting_context(begins=state.prepared is None)
    _require_right(context)
    if state.prepared is None:
        await _prepare(progress, step, state, scope, texts)
    scope = scope.knowing(now=datetime.fromisoformat(state.prepared["at"]))
    secrets = await _secrets(context, texts)
    request, masking = await _revealed(progress, state.prepared["request"], texts, secrets, scope)
    accepted = step.http_request.accept_statuses
    response = await _call(progress, step, state, request, scope)
    output = output_of(response, masking, accepted=accepted, now=progress.services.clock.outside())
    state.attempts += 1
    progress.complete(state, output)


async def _prepare(
    progress: Progress, step: HttpRequestStep, state: StepState, scope: Scope, texts: Sequence[SecretText]
) -> None:
    """Record what is to be sent, with the secrets masked; the commit comes with the call."""
    at = progress.now().replace(microsecond=0)
    scope = scope.knowing(now=at)
    plain = as_given(step.http_request)
    for text in texts:
        text.put(plain, MASK)
    request = await progress.render(plain, _MEMBER, scope)
    for text in texts:
        text.put(request, await _masked(progress, text, scope))
    state.input = request
    state.prepared = {"request": request, "at": at.isoformat()}
    progress.save(state)


async def _masked(progress: Progress, text: SecretText, scope: Scope) -> Any:
    """As it is recorded. What cannot be computed with a mask is a mask as a whole."""
    try:
        return await progress.render(text.text, text.path(_MEMBER), _with(scope, dict.fromkeys(text.names, MASK)))
    except ExpressionError:
        return MASK


async def _secrets(context: Context, texts: Sequence[SecretText]) -> dict[str, str]:
    """Raises ValidationFailed for those that do not exist."""
    found = await open_secrets(context, {name for text in texts for name in text.names}) if texts else {}
    missing = [unknown_secret(text.path(_MEMBER), name) for text in texts for name in sorted(text.names - found.keys())]
    if missing:
        raise ValidationFailed(missing)
    return found


async def _revealed(
    progress: Progress,
    recorded: Mapping[str, Any],
    texts: Sequence[SecretText],
    secrets: Mapping[str, str],
    scope: Scope,
) -> tuple[dict[str, Any], Masking]:
    """The request as it is sent, and what takes all that is secret in it out of texts."""
    request = {**copy.deepcopy(recorded)}
    hidden = set(secrets.values())
    for text in texts:
        text.put(request, await _rendered(progress, text, secrets, scope))
        for hole in parse_template(text.text).holes:
            source = f"{{{{{hole.expression.source}}}}}"
            if secret_names(source):
                value = await progress.render(source, _MEMBER, _with(scope, secrets))
                hidden |= {value} if isinstance(value, str) else set()
    return request, Masking(hidden)


async def _rendered(progress: Progress, text: SecretText, secrets: Mapping[str, str], scope: Scope) -> Any:
    """With the secrets. An error could show parts of them: it is told as it is without them, or not at all."""
    path = text.path(_MEMBER)
    try:
        return await progress.render(text.text, path, _with(scope, secrets))
    except ExpressionError as error:
        column = error.column
    try:
        await progress.render(text.text, path, _with(scope, dict.fromkeys(text.names, MASK)))
    except ExpressionError as error:
        raise ValidationFailed(expression_problem(error, path)) from None
    raise ValidationFailed(Problem(path, "expression", _NOT_TOLD.format(column=column)))


async def _call(
    progress: Progress, step: HttpRequestStep, state: StepState, request: Mapping[str, Any], scope: Scope
) -> OutgoingResponse:
    """Raises IntegrationFailed, TimedOut."""
    run, services = progress.state, progress.services
    own = {DEPTH_HEADER: str(run.depth + 1)}
    sent: Outgoing = outgoing(request, key=run.call_key(state.path), own_headers=own)
    body_is_secret = any(text.keys[0] in ("json", "body") for text in secret_texts(as_given(step.http_request)))
    try:
        async with progress.away(scope):
            return await services.http.request(
                sent.method, sent.url, headers=sent.headers, content=sent.content,
                timeout=min(step.timeout_seconds or _USUAL_SECONDS, _MOST_SECONDS),
                max_response_bytes=services.settings.http_step_bytes,
                follow_redirects=redirects(step.http_request.accept_statuses, body_is_secret=body_is_secret),
                provider="workflow",
            )  # fmt: skip
    except OutgoingError as error:
        raise failure_of(error) from None


def _with(scope: Scope, secrets: Mapping[str, str]) -> Scope:
    return scope.knowing(**{ROOT: dict(secrets)})


def _require_right(context: Context) -> None:
    """Whoever activated the workflow must still be somebody who may have it act."""
    if not context.caller.may(Right.write, "workflows"):
        raise InsufficientScope(_NO_RIGHT, details={"required_scope": Right.write.value})


_NOT_TOLD: Final = Text(
    "La expresión falla con el valor del secreto (columna {column}); no se muestra por qué, pues lo revelaría.",
    "The expression fails with the secret's value (column {column}); why is not shown, since that would reveal it.",
)
_NO_RIGHT: Final = Text(
    "Quien activó el workflow ya no puede ejecutar workflows (workflows:write).",
    "Whoever activated the workflow may no longer run workflows (workflows:write).",
)
