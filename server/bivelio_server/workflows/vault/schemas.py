"""What the operations on secrets take and give."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.kit.models import Input, Output, PageInput, Pagination
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError

MAX_LENGTH: Final = 8192
#: A shorter one could not be told from other text, and so not be masked.
MIN_LENGTH: Final = 8


def _trimmed(value: str) -> str:
    if value != value.strip():
        raise FieldError("trimmed", _NOT_TRIMMED)
    return value


_NOT_TRIMMED: Final = Text(
    "El campo '{field}' empieza o acaba con espacios o saltos de línea.",
    "The field '{field}' begins or ends with spaces or line breaks.",
)

SecretName = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]*$", max_length=60, examples=["ERP_TOKEN"])]


class SecretSet(Input):
    """Makes the secret, or gives it another value. Without a `description` the present one stays."""

    name: SecretName
    value: Annotated[str, Field(min_length=MIN_LENGTH, max_length=MAX_LENGTH, repr=False), AfterValidator(_trimmed)]
    description: str | None = Field(None, max_length=500)


class SecretReference(Input):
    name: str = Field(max_length=200)


class SecretList(PageInput):
    pass


class Secret(Output):
    """Its value is never shown."""

    model_config = ConfigDict(title="WorkflowSecret", from_attributes=True)

    name: str
    description: str | None
    created_at: datetime
    updated_at: datetime


class SecretPage(Output):
    secrets: list[Secret]
    pagination: Pagination
