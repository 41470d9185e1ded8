"""What the operations on templates take and give."""

from typing import Any, Literal

from pydantic import ConfigDict, Field

from bivelio_server.kit.models import FreeObject, Id, Input, Name, Output, Words
from bivelio_server.workflows.schemas import Concurrency, DefinitionView, Note

LanguageName = Literal["es", "en"]


class TemplateReference(Input):
    """`language` is that of the texts in the workflow."""

    id: Id
    language: LanguageName = "es"


class TemplateSummary(Output):
    """A ready workflow. `requires` lists the operations that it needs, all of them there."""

    id: str
    name: Words
    description: Words
    requires: list[str]


class Templates(Output):
    templates: list[TemplateSummary]


class TemplateView(DefinitionView, TemplateSummary):
    """`parameters` is a JSON Schema with a title and a default for each; the rest is the workflow that these give."""

    model_config = ConfigDict(title="Template")

    parameters: dict[str, Any]
    concurrency: Concurrency


class FromTemplate(Input):
    """Without a `name`, the template's; parameters that are left out have their defaults."""

    template_id: Id = Field(examples=["welcome_client"])
    language: LanguageName = "es"
    parameters: FreeObject = Field(default={}, examples=[{"days": 2}])
    name: Name | None = None
    status: Literal["draft", "active"] = "draft"
    note: Note | None = None
