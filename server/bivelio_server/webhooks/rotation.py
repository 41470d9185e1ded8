"""A new secret for an endpoint, the old one beside it for a while."""

import hmac
from datetime import timedelta
from typing import Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, Impossible, Problem
from bivelio_server.kit.text import Text
from bivelio_server.webhooks.models import WebhookEndpoint
from bivelio_server.webhooks.schemas import WebhookSecretRotate
from bivelio_server.webhooks.secrets import SealedSecrets, SigningSecrets, choose_secrets, place_of


def rotate(context: Context, row: WebhookEndpoint, data: WebhookSecretRotate) -> SigningSecrets:
    """The new secrets, in the row; the present ones become the previous. Raises Conflict, Impossible.

    Two secrets sign at most, since the printed header has room for two. A second rotation within the grace of the first
    would silently kill a secret that receivers may still verify with, so it must say that it means to: with no grace.
    """
    _require_calm(context, row, data.grace_seconds)
    place = place_of(context.caller.org_id, context.caller.environment, row.id)
    present = SealedSecrets(row.signing_secret, row.standard_secret, place)
    if data.secret is not None:
        _require_another(present.open(context.services.cipher), data.secret)
    secrets = choose_secrets(data.secret)
    sealed = SealedSecrets.seal(context.services.cipher, secrets, place)
    _keep_previous(context, row, data.grace_seconds)
    row.signing_secret, row.standard_secret = sealed.signing, sealed.standard
    return secrets


def _require_calm(context: Context, row: WebhookEndpoint, grace_seconds: int) -> None:
    if grace_seconds and row.previous_until is not None and row.previous_until > context.now:
        raise Conflict(_RUNNING, details={"ends_at": row.previous_until, "webhook_id": row.id})


def _require_another(present: SigningSecrets, given: str) -> None:
    if hmac.compare_digest(present.signing.encode(), given.encode()):
        raise Impossible(Problem("secret", "different", _SAME))


def _keep_previous(context: Context, row: WebhookEndpoint, grace_seconds: int) -> None:
    if not grace_seconds:
        row.previous_signing_secret = row.previous_standard_secret = row.previous_until = None
        return
    # As sealed: bound to the endpoint, whichever column holds it.
    row.previous_signing_secret, row.previous_standard_secret = row.signing_secret, row.standard_secret
    row.previous_until = context.now + timedelta(seconds=grace_seconds)


_RUNNING: Final = Text(
    "Ya hay un cambio de secreto en curso; espera a que termine, o pide grace_seconds: 0 para que valga solo el nuevo.",
    "A secret is being rotated already; wait for its end, or ask for grace_seconds: 0 so that only the new one holds.",
)
_SAME: Final = Text(
    "El campo 'secret' debe ser distinto del secreto actual.",
    "The field 'secret' must differ from the present secret.",
)
