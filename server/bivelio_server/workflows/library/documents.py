"""A workflow as a JSON document, to keep it in a repository or to carry it to another organisation."""

import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from bivelio_server.kit.models import Id, Input, Output
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.kit.versions import VERSIONS, KnownVersion
from bivelio_server.workflows.models import WorkflowVersion
from bivelio_server.workflows.saving import Content
from bivelio_server.workflows.schemas import (
    Concurrency,
    DefinitionInput,
    DefinitionView,
    Heading,
    Note,
    VersionNumber,
)
from bivelio_server.workflows.views import definition_fields

FORMAT: Final = "bivelio.workflow"
FORMAT_VERSION: Final = 1
#: An id that this server made, anywhere in a text.
_GENERATED_ID: Final = re.compile(r"(?<![0-9A-Za-z_])[a-z]{2,12}_[0-7][0-9a-hjkmnp-tv-z]{25}(?![0-9A-Za-z_])")


class Reference(Output):
    """Something of the organisation that a document names; elsewhere there must be another in its place."""

    path: str
    id: str


class _Heading(Output):
    format: Literal["bivelio.workflow"]
    format_version: Literal[1]
    name: str
    description: str | None
    concurrency: Concurrency
    api_version: str
    version: int
    references: list[Reference]


class WorkflowDocument(DefinitionView, _Heading):
    """`version` is the one that was exported. Of the organisation it holds what `references` lists, and no secret."""


class WorkflowExport(Input):
    """Without `version`, the newest."""

    id: Id
    version: VersionNumber | None = None


class GivenDocument(DefinitionInput, Heading):
    """A document as `export` gives it; only its format, name and steps must be there."""

    model_config = ConfigDict(title="WorkflowDocumentInput")

    format: Literal["bivelio.workflow"]
    format_version: Literal[1]
    api_version: KnownVersion = VERSIONS.newest
    version: VersionNumber | None = Field(None, description="Ignored: the imported workflow begins with its own first.")
    references: list[dict[str, Any]] | None = Field(None, description="Ignored: found again when it is exported.")

    @model_validator(mode="before")
    @classmethod
    def _is_one_of_ours(cls, given: Any) -> Any:
        """A document of another kind is refused as a whole, not member by member."""
        if isinstance(given, dict):
            if given.get("format") != FORMAT:
                raise FieldError("format", _OTHER_FORMAT)
            number = given.get("format_version")
            if number != FORMAT_VERSION or isinstance(number, bool):
                raise FieldError("format_version", _OTHER_VERSION)
        return given

    @property
    def content(self) -> Content:
        return Content(
            name=self.name,
            description=self.description,
            concurrency=self.concurrency,
            definition=self.definition,
            api_version=self.api_version,
        )


class WorkflowImport(Input):
    """Makes a new workflow. As a draft it can be looked at before it runs."""

    document: GivenDocument
    status: Literal["draft", "active"] = "draft"
    note: Note | None = None


def document_of(version: WorkflowVersion) -> WorkflowDocument:
    written = definition_fields(version)
    definition = {name: written[name] for name in DefinitionView.model_fields}
    return WorkflowDocument(
        format="bivelio.workflow",
        format_version=1,
        name=version.name,
        description=version.description,
        concurrency=version.concurrency,
        api_version=version.api_version,
        version=version.version,
        references=[Reference(path=path, id=found) for path, found in _references(definition)],
        **definition,
    )


def _references(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The ids in a JSON value, each with its place."""
    if isinstance(value, str):
        for found in _GENERATED_ID.findall(value):
            yield path, found
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _references(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for position, member in enumerate(value):
            yield from _references(member, f"{path}[{position}]")


_OTHER_FORMAT: Final = Text(
    f"El campo '{{field}}' no es un documento de BiVelio: su 'format' debe ser '{FORMAT}'.",
    f"The field '{{field}}' is no BiVelio document: its 'format' must be '{FORMAT}'.",
)
_OTHER_VERSION: Final = Text(
    f"El campo '{{field}}' es de otra versión del formato: este servidor lee la {FORMAT_VERSION}.",
    f"The field '{{field}}' is of another version of the format: this server reads {FORMAT_VERSION}.",
)
