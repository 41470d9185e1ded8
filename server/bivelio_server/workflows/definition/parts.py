"""What the parts of a definition share."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from bivelio_server.kit.models import Input

MAX_WAIT_SECONDS: Final = 366 * 24 * 3600
MAX_LIST: Final = 100

StepId = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$", max_length=60)]
#: A text with one expression in it, whose value is taken.
Expression = Annotated[str, Field(min_length=1, max_length=4096)]
Seconds = Annotated[int, Field(ge=1, le=MAX_WAIT_SECONDS)]


class Part(Input):
    """A part of a definition; wire names that are Python keywords have an alias."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=False)


def kind_by_key(kinds: Mapping[type, str]) -> Callable[[Any], str | None]:
    """A discriminator: the kind whose keyword, and no other, is among an object's keys, as a marked tag."""

    def kind(part: Any) -> str | None:
        if isinstance(part, BaseModel):
            return f"<{kinds[type(part)]}>"
        if not isinstance(part, dict):
            return None
        found = [f"<{keyword}>" for keyword in kinds.values() if keyword in part]
        return found[0] if len(found) == 1 else None

    return kind


def kind_by_type(kinds: Mapping[type, str]) -> Callable[[Any], str | None]:
    """A discriminator: the kind that an object's `type` names, as a marked tag."""

    def kind(part: Any) -> str | None:
        if isinstance(part, BaseModel):
            return f"<{kinds[type(part)]}>"
        named = part.get("type") if isinstance(part, dict) else None
        return f"<{named}>" if named in kinds.values() else None

    return kind


def text_or_value(given: Any) -> str:
    """A discriminator for what may also be an expression."""
    return "<text>" if isinstance(given, str) else "<value>"
