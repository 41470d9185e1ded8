"""What the operations on usage and on the request log take and give."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, PlainSerializer

from bivelio_server.kit.models import Date, Id, Input, Output, PageInput, Pagination, Timestamp

EnvironmentName = Literal["live", "sandbox"]
StatusClass = Literal["2xx", "3xx", "4xx", "5xx"]
Grouping = Literal["day", "key", "operation", "environment"]
EntryState = Literal["reserved", "settled", "refunded"]
OperationName = Annotated[str, Field(max_length=100)]
Actor = Annotated[str, Field(max_length=100)]


def _tenths(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


Milliseconds = Annotated[float, PlainSerializer(_tenths)]


class RequestList(PageInput):
    """`from` and `to` are within the last 24 hours by default, unless a request is named."""

    request_id: Id | None = None
    operation: OperationName | None = None
    status: int | None = Field(None, ge=100, le=599)
    status_class: StatusClass | None = None
    key_id: Id | None = None
    actor: Actor | None = None
    environment: EnvironmentName | None = None
    from_: Timestamp | None = Field(None, alias="from")
    to: Timestamp | None = None


class RequestReference(Input):
    request_id: Id


class LoggedRequest(Output):
    """One request: `operation` is `other` when its path names none, `key_id` is null for who signed in."""

    model_config = ConfigDict(from_attributes=True)

    request_id: str
    environment: EnvironmentName
    at: datetime
    operation: str
    path: str
    status: int
    error_code: str | None
    duration_ms: Milliseconds
    actor: str
    key_id: str | None
    address: str | None
    door: str
    idempotency_key_hash: str | None
    replayed: bool
    api_version: str | None
    user_agent: str | None


class RequestPage(Output):
    requests: list[LoggedRequest]
    pagination: Pagination


class UsageList(PageInput):
    """The last 30 days by default, in the organisation's time zone; of the caller's own environment."""

    from_: Date | None = Field(None, alias="from")
    to: Date | None = None
    group_by: Annotated[list[Grouping], AfterValidator(lambda names: list(dict.fromkeys(names)))] = Field(
        default=["day"], max_length=10
    )
    key_id: Id | None = None
    operation: OperationName | None = None
    environment: Literal["live", "sandbox", "all"] | None = None


class UsageRow(Output):
    """What was not grouped by is null; `key_id` also for who signed in. `refused` are replies with status 429."""

    model_config = ConfigDict(from_attributes=True)

    day: date | None
    key_id: str | None
    operation: str | None
    environment: EnvironmentName | None
    requests: int
    errors: int
    refused: int
    credits: int
    average_duration_ms: Annotated[float | None, PlainSerializer(_tenths)]


class UsagePage(Output):
    usage: list[UsageRow]
    pagination: Pagination


class AiUsageList(PageInput):
    """The last 30 days by default, in the organisation's time zone; of the caller's own environment."""

    from_: Date | None = Field(None, alias="from")
    to: Date | None = None
    engine: Annotated[str, Field(max_length=50)] | None = None
    model: Annotated[str, Field(max_length=200)] | None = None
    environment: EnvironmentName | None = None


class AiUsageRow(Output):
    """`failures` are among the `calls`, `cached_tokens` among the `prompt_tokens`, `thought_tokens` among the
    `output_tokens`. `engine` is `embedded`, `gemini` or `openai`."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    environment: EnvironmentName
    engine: str
    model: str
    calls: int
    failures: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    thought_tokens: int


class AiUsagePage(Output):
    usage: list[AiUsageRow]
    pagination: Pagination


class Limits(Output):
    """What the organisation may ask in one environment, all its credentials together; null is no limit."""

    model_config = ConfigDict(from_attributes=True)

    plan: str
    requests_per_minute: int | None
    requests_per_second: int | None
    remaining: int | None
    remaining_this_second: int | None
    resets_at: datetime | None


class Credits(Output):
    """`month` is as `2026-04`, in the organisation's time zone; in the sandbox nothing is deducted."""

    model_config = ConfigDict(from_attributes=True)

    month: str
    allowance: int
    used: int
    reserved: int
    remaining: int
    resets_at: datetime


class CreditEntryList(PageInput):
    from_: Date | None = Field(None, alias="from")
    to: Date | None = None
    state: EntryState | None = None
    operation: OperationName | None = None
    key_id: Id | None = None
    environment: EnvironmentName | None = None


class CreditEntry(Output):
    """`settled_amount` is what was taken in the end; `cause` names the run (`run:…`) of a workflow's step."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    environment: EnvironmentName
    at: datetime
    operation: str
    actor: str
    key_id: str | None
    request_id: str | None
    cause: str | None
    amount: int
    state: EntryState
    settled_amount: int | None


class CreditEntryPage(Output):
    entries: list[CreditEntry]
    pagination: Pagination


def month_name(day: date) -> str:
    return f"{day:%Y-%m}"
