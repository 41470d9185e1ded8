"""What the sandbox operations take and give."""

from datetime import datetime
from typing import Final, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import Input, Output, PageInput, Pagination

MAX_STEP_SECONDS: Final = 31 * 24 * 3600

Outcome = Literal["sent", "refused", "failed"]


class ClockAdvance(Input):
    seconds: int = Field(ge=1, le=MAX_STEP_SECONDS, examples=[3600])


class SandboxClock(Output):
    """`now` is the time in the sandbox, `ahead_seconds` how far it is ahead of the true one."""

    now: datetime
    ahead_seconds: int


class SandboxReset(Output):
    """`removed` counts the rows that there were."""

    removed: int


class MessageList(PageInput):
    channel: str | None = Field(None, max_length=40, description="Only those of this channel, such as `email`.")
    recipient: str | None = Field(None, max_length=320, description="Only those to this address.")


class SimulatedMessage(Output):
    """What a provider would have sent. `attempts` counts how often it was tried; `outcome` is that of the last time."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    channel: str
    recipient: str
    recipient_name: str | None
    subject: str | None
    body: str
    outcome: Outcome
    attempts: int
    created_at: datetime
    updated_at: datetime


class MessagePage(Output):
    messages: list[SimulatedMessage]
    pagination: Pagination
