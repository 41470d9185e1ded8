"""What the webhook operations take and give."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.events.definitions import EventName
from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError

Status = Literal["active", "paused", "disabled"]
DisabledReason = Literal["attempts_exhausted", "gone"]


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
Events = Annotated[list[EventName], Field(min_length=1, max_length=12), AfterValidator(_unique)]
Secret = Annotated[str, Field(min_length=16, max_length=200), AfterValidator(_printable)]
Description = Annotated[str, Field(max_length=500)]


class WebhookCreate(Input):
    url: Url = Field(examples=["https://tu-servidor.com/api/bivelio-webhook"])
    events: Events
    secret: Secret | None = Field(
        None, repr=False, description="A signing secret of your own; by default one is generated."
    )
    description: Description | None = None


class WebhookList(PageInput):
    pass


class WebhookReference(Input):
    webhook_id: Id


class WebhookUpdate(Input):
    """Only given fields change. `active` also re-enables a disabled endpoint and goes on with what is pending."""

    webhook_id: Id
    url: Url | None = None
    events: Events | None = None
    description: Description | None = None
    status: Literal["active", "paused"] | None = None
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the endpoint is not at this version.")


class WebhookTest(Input):
    """`event` is the first of the endpoint's events by default."""

    webhook_id: Id
    event: EventName | None = None


class Webhook(Output):
    """`success_rate` is that of the last 100 finished deliveries, null before the first."""

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


class WebhookTestResult(Output):
    """`error` names what went wrong: `rejected`, `redirected`, `gone`, `timeout`, `address_refused`…"""

    delivery_id: str
    status: Literal["delivered", "failed"]
    response_status: int | None
    duration_ms: int
    error: str | None
