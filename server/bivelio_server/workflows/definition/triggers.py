"""What starts a workflow."""

from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, Tag
from pydantic.config import JsonDict

from bivelio_server.events.definitions import EventName
from bivelio_server.workflows.definition.parts import Expression, Part, kind_by_type


class ManualTrigger(Part):
    type: Literal["manual"]


class EventTrigger(Part):
    """The workflow runs for each event of this name for which `if` is true; its input is `{event, timestamp, data}`."""

    type: Literal["event"]
    event: EventName
    if_: Expression | None = Field(None, alias="if", examples=["{{ 'vip' in input.data.tags }}"])


class CronTrigger(Part):
    """The workflow runs at the times of `cron`, five fields, in `timezone`, by default that of the organisation.

    Its input is `{scheduled_at, missed}`. When ticks were missed, the latest of them is made up for (`run_once`), and
    `missed` says how many came before it; or none is (`skip`).
    """

    type: Literal["cron"]
    cron: str = Field(max_length=200, examples=["0 9 * * 1-5"])
    timezone: str | None = Field(None, max_length=60, examples=["Europe/Madrid"])
    missed: Literal["run_once", "skip"] = "run_once"


class WebhookTrigger(Part):
    """The workflow runs for each request to a URL of its own; its input is `{headers, query, body}`."""

    type: Literal["webhook"]


TRIGGER_KINDS: Final[dict[type, str]] = {
    ManualTrigger: "manual",
    EventTrigger: "event",
    CronTrigger: "cron",
    WebhookTrigger: "webhook",
}
_SCHEMAS: Final[JsonDict] = {kind: f"#/components/schemas/{model.__name__}" for model, kind in TRIGGER_KINDS.items()}

#: Written with marked tags, which problems leave out of their paths.
Trigger = Annotated[
    Annotated[ManualTrigger, Tag("<manual>")]
    | Annotated[EventTrigger, Tag("<event>")]
    | Annotated[CronTrigger, Tag("<cron>")]
    | Annotated[WebhookTrigger, Tag("<webhook>")],
    Discriminator(
        kind_by_type(TRIGGER_KINDS),
        custom_error_type="trigger_kind",
        custom_error_message=f"A trigger has a type: {', '.join(TRIGGER_KINDS.values())}.",
    ),
    Field(json_schema_extra={"discriminator": {"propertyName": "type", "mapping": _SCHEMAS}}),
]
