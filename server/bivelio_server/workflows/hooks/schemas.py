"""What the operations on hooks take and give."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Output
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError

MAX_GRACE_SECONDS: Final = 7 * 24 * 3600


def _usable(secret: str) -> str:
    if not secret.isprintable() or secret != secret.strip():
        raise FieldError("printable", _NOT_USABLE)
    return secret


_NOT_USABLE: Final = Text(
    "El campo '{field}' solo admite caracteres imprimibles, sin espacios al principio ni al final.",
    "The field '{field}' takes printable characters only, without spaces at its beginning or end.",
)

Secret = Annotated[str, Field(min_length=16, max_length=200), AfterValidator(_usable)]


class HookReference(Input):
    workflow_id: Id


class HookSecretRotate(Input):
    """For the first secret, too. While the grace lasts either secret proves a request; zero ends the old one."""

    workflow_id: Id
    secret: Secret | None = Field(
        None, repr=False, description="The secret that the other system gives you; by default one is generated."
    )
    grace_seconds: int = Field(24 * 3600, ge=0, le=MAX_GRACE_SECONDS)


class HookRotation(Output):
    """A rotation whose grace lasts: the old secret still counts."""

    ends_at: datetime
    seconds_left: int


class Hook(Output):
    """`secret_set_at` is null before the first secret: until then nobody can prove a request. `last_used_at` is to the
    minute."""

    model_config = ConfigDict(title="WorkflowHook")

    workflow_id: str
    url: str
    secret_set_at: datetime | None
    rotation: HookRotation | None
    created_at: datetime
    last_used_at: datetime | None


class HookWithSecret(Hook):
    """The secret is shown this once."""

    model_config = ConfigDict(title="WorkflowHookWithSecret")

    secret: str = Field(repr=False)


class Received(Output):
    """What a request to the hook's URL is answered: the run that it has started."""

    model_config = ConfigDict(title="HookReply")

    instance_id: str
