"""What steering runs takes."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from bivelio_server.kit.models import FreeObject, Id, Input
from bivelio_server.workflows.schemas import InstanceFilter, InstanceReference, VersionNumber

Reason = Annotated[str, Field(min_length=1, max_length=500, examples=["El cliente ha anulado el pedido"])]


def _word_or_number(given: Any) -> str:
    return "<word>" if isinstance(given, str) else "<number>"


ChosenVersion = Annotated[
    Annotated[Literal["same", "newest"], Tag("<word>")] | Annotated[VersionNumber, Tag("<number>")],
    Discriminator(_word_or_number),
]


class InstanceCancel(InstanceReference):
    reason: Reason | None = None


class InstanceRetry(InstanceReference):
    """`from_step`: the path of a step, as `get_instance` shows it; without it the run goes on from what failed, or was
    cancelled. `version`: that of the run, the workflow's newest, or any by its number."""

    from_step: str | None = Field(None, max_length=1000, examples=["each[3].mail"])
    version: ChosenVersion = "same"


class InstanceRerun(InstanceReference):
    """`input`: without it that of the other run."""

    input: FreeObject | None = None


class InstanceSelection(Input):
    """Either `ids` or `filter`."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10_000)] | None = None
    filter: InstanceFilter | None = None


class InstancesCancel(InstanceSelection):
    """What the filter finds that has not ended."""

    reason: Reason | None = None


class InstancesRetry(InstanceSelection):
    """What the filter finds that has failed or was cancelled; each from where it ended."""

    version: ChosenVersion = "same"
