"""Ready workflows to begin with."""

from typing import Any, Final

from pydantic import ValidationError

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope, NotFound
from bivelio_server.kit.models import Input, Nothing, Words
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import validation_failed
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.library.template_schemas import (
    FromTemplate,
    TemplateReference,
    Templates,
    TemplateSummary,
    TemplateView,
)
from bivelio_server.workflows.saving import Content, save_new
from bivelio_server.workflows.schemas import WorkflowView
from bivelio_server.workflows.templates import Template, offered
from bivelio_server.workflows.views import workflow_view

feature: Final = Feature("workflows")


@feature.operation(
    "list_templates", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista las plantillas de workflow", "List the workflow templates"),
)  # fmt: skip
async def list_templates(context: Context, data: Nothing) -> Templates:  # noqa: ARG001 - nothing is asked
    return Templates(templates=[TemplateSummary(**_told(found)) for found in offered(context.services.catalogue)])


@feature.operation(
    "get_template", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene una plantilla de workflow", "Get a workflow template"),
)  # fmt: skip
async def get_template(context: Context, data: TemplateReference) -> TemplateView:
    template = _template(context, data.id, "id")
    built = template.definition(context.services.catalogue, template.parameters(), data.language)
    concurrency = built.pop("concurrency")
    definition = Definition.model_validate(built).as_written()
    form = template.form(data.language)
    return TemplateView(**_told(template), parameters=form, concurrency=concurrency, **definition)


@feature.operation(
    "create_from_template", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound, InsufficientScope],
    summary=Text("Crea un workflow a partir de una plantilla", "Create a workflow from a template"),
)  # fmt: skip
async def create_from_template(context: Context, data: FromTemplate) -> WorkflowView:
    template = _template(context, data.template_id, "template_id")
    catalogue = context.services.catalogue
    built = template.definition(catalogue, _parameters(template, data.parameters), data.language)
    content = Content(
        name=data.name or template.name.in_language(data.language),
        description=template.description.in_language(data.language),
        concurrency=built.pop("concurrency"),
        definition=Definition.model_validate(built),
        api_version=catalogue.versions.newest,
    )
    return await workflow_view(context, *await save_new(context, content, status=data.status, note=data.note))


def _template(context: Context, template_id: str, field: str) -> Template:
    """Raises NotFound, also for one whose operations are not there yet."""
    found = next((known for known in offered(context.services.catalogue) if known.id == template_id), None)
    if found is None:
        raise NotFound(field)
    return found


def _parameters(template: Template, given: dict[str, Any]) -> Input:
    try:
        return template.parameters.model_validate(given)
    except ValidationError as error:
        raise validation_failed(error, within="parameters") from None


def _told(template: Template) -> dict[str, Any]:
    return {
        "id": template.id,
        "name": Words.model_validate(template.name),
        "description": Words.model_validate(template.description),
        "requires": template.requires,
    }
