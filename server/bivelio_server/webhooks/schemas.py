"""What the webhook operations take and give."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination, Words
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.kit.versions import KnownVersion

Status = Literal["active", "paused", "disabled"]
DisabledReason = Literal["attempts_exhausted", "gone", "continuous_failure"]
DisablePolicy = Literal["attempts", "patient"]
DeliveryStatus = Literal["pending", "delivered", "failed", "cancelled"]
MAX_GRACE_SECONDS: Final = 7 * 24 * 3600


def _unique(events: list[EventName]) -> list[EventName]:
    if len(set(events)) < len(events):
        raise FieldError("unique_items", _REPEATED)
    return events


def _printable(secret: str) -> str:
    if not secret.isprintable():
        raise FieldError("printable", _NOT_PRINTABLE)
    return secret


_REPEATED: Final = Text("El campo '{field}' repite algún evento.", "The field '{field}' repeats an event.")
_NOT_PRINTABLE: Final = Text(
    "El campo '{field}' solo admite caracteres imprimibles.", "The field '{field}' takes printable characters only."
)

Url = Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra={"format": "uri"})]
Events = Annotated[list[EventName], Field(min_length=1, max_length=len(get_args(EventName))), AfterValidator(_unique)]
Secret = Annotated[str, Field(min_length=16, max_length=200), AfterValidator(_printable)]
Description = Annotated[str, Field(max_length=500)]
_POLICY: Final = (
    "When the endpoint is given up: `attempts`, at the fifth failed attempt of one delivery; `patient`, after 120 hours"
    " of failures without a success, while deliveries out of attempts become `failed` and stay recoverable."
)


class WebhookCreate(Input):
    url: Url = Field(examples=["https://tu-servidor.com/api/bivelio-webhook"])
    events: Events
    secret: Secret | None = Field(
        None, repr=False, description="A signing secret of your own; by default one is generated."
    )
    description: Description | None = None
    disable_policy: DisablePolicy = Field("attempts", description=_POLICY)


class WebhookList(PageInput):
    deleted: bool = Field(False, description="List the deleted webhooks instead, those that `restore` brings back.")


class WebhookReference(Input):
    webhook_id: Id


class WebhookUpdate(Input):
    """Only given fields change. `active` also re-enables a disabled endpoint and goes on with what is pending."""

    webhook_id: Id
    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    status: Literal["active", "paused"] | None = None
    disable_policy: DisablePolicy | None = Field(None, description=_POLICY)
    payload_version: KnownVersion | None = Field(None, description="The shape of `data` in messages from now on.")
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the endpoint is not at this version.")


class WebhookTest(Input):
    """`event` is the first of the endpoint's events by default."""

    webhook_id: Id
    event: EventName | None = None


class WebhookSecretRotate(Input):
    """While the grace lasts, messages carry both signatures; then the old secret is dead. Zero kills it at once."""

    webhook_id: Id
    secret: Secret | None = Field(None, repr=False, description="Your own next secret; by default one is generated.")
    grace_seconds: int = Field(24 * 3600, ge=0, le=MAX_GRACE_SECONDS)


class Rotation(Output):
    """A rotation whose grace lasts: the old secret still signs."""

    ends_at: datetime
    seconds_left: int


class Webhook(Output):
    """`success_rate` is that of the last 100 finished deliveries, null before the first. `failing_since` is the first
    failed attempt after the last good one."""

    model_config = ConfigDict(from_attributes=True)

    webhook_id: str
    url: str
    events: list[EventName]
    status: Status
    description: str | None
    last_triggered_at: datetime | None
    success_rate: float | None
    disabled_at: datetime | None
    disabled_reason: DisabledReason | None
    disable_policy: DisablePolicy
    failing_since: datetime | None
    payload_version: KnownVersion
    rotation: Rotation | None
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class CreatedWebhook(Webhook):
    """Both secrets are shown this once. `standard_secret` is null when `signing_secret` also signs the
    Standard Webhooks headers, as a generated one does."""

    signing_secret: str = Field(repr=False)
    standard_secret: str | None = Field(repr=False)


class WebhookPage(Output):
    webhooks: list[Webhook]
    pagination: Pagination


class EventView(Output):
    """An event that endpoints can ask for. `data_schema` is the JSON Schema of `data`, `sample` a whole message."""

    event: EventName
    summary: Words
    payload_version: KnownVersion
    data_schema: dict[str, Any]
    sample: dict[str, Any]


class EventDirectory(Output):
    events: list[EventView]


class WebhookTestResult(Output):
    """`error` names what went wrong: `rejected`, `redirected`, `gone`, `timeout`, `address_refused`…"""

    delivery_id: str
    status: Literal["delivered", "failed"]
    response_status: int | None
    duration_ms: int
    error: str | None
