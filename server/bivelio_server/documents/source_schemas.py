"""How an operation is told which file it is about."""

from typing import Any

from pydantic import Field

from bivelio_server.kit.models import Id, Input, Output


class SourceInput(Input):
    """Which file: `document_url` or `document_id`."""

    document_url: str | None = Field(
        None, min_length=1, max_length=2000, examples=["https://storage.example.com/docs/factura_2026_001.pdf"]
    )
    document_id: Id | None = Field(None, description="One that was uploaded, instead of `document_url`.")


class Source(Output):
    """The file as an operation found it; it may be stored, so what the file holds is fetched when it is needed.

    `field` is the input that named it, `file` where it is stored, `url` where else it stands.
    """

    field: str
    document_id: str | None
    filename: str | None
    file: dict[str, Any] | None
    url: str | None
