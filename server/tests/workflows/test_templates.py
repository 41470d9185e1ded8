"""Ready workflows: what is offered works, what lacks an operation is not offered."""

from typing import Any

import psycopg
import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.text import Language
from bivelio_server.workflows.checking import check_definition
from bivelio_server.workflows.definition import Definition, StopStep, walk
from bivelio_server.workflows.templates import TEMPLATES, Template, offered
from tests.workflows.announced_operations import EVERYTHING, TODAY
from tests.workflows.arranging import code_of, ended, instances, later, problems, reached, reacted
from tests.world import Organization

pytestmark = pytest.mark.anyio

Json = dict[str, Any]
LIST, GET = "/v1/workflows/list_templates", "/v1/workflows/get_template"
CREATE = "/v1/workflows/create_from_template"
every_template = pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.id)


def definition(template: Template, catalogue: Catalogue, language: Language, **parameters: Any) -> Definition:
    built = template.definition(catalogue, template.parameters.model_validate(parameters), language)
    del built["concurrency"]
    return Definition.model_validate(built)


@every_template
@pytest.mark.parametrize("language", ["es", "en"])
def test_a_template_is_a_valid_workflow_where_its_operations_are(template: Template, language: Language) -> None:
    check_definition(definition(template, EVERYTHING, language), EVERYTHING)


@every_template
def test_its_form_is_a_schema_with_labels_and_defaults(template: Template) -> None:
    forms = {language: template.form(language) for language in ("es", "en")}

    assert [schema_problems(form) for form in forms.values()] == [[], []]
    for name, described in forms["es"]["properties"].items():
        assert "default" in described
        assert described["title"] != forms["en"]["properties"][name]["title"]


@every_template
def test_every_step_is_named_for_people(template: Template) -> None:
    named = [step for _, step in walk(definition(template, EVERYTHING, "es")) if not isinstance(step, StopStep)]

    assert sum(1 for step in named if step.name) >= len(named) * 2 / 3


def test_what_lacks_operations_is_not_offered() -> None:
    assert {template.id: template.requires for template in TEMPLATES} == {
        "welcome_client": ["contacts.get", "contacts.update"],
        "chase_invoice": ["contacts.get", "invoices.create", "messages.send"],
        "triage_document": ["documents.classify", "documents.extract"],
    }
    assert [template.id for template in offered(EVERYTHING)] == [template.id for template in TEMPLATES]
    assert [template.id for template in offered(TODAY)] == ["welcome_client", "triage_document"]


@pytest.mark.parametrize("ask_first", [True, False])
def test_chasing_may_ask_first(ask_first: bool) -> None:
    chase = next(template for template in TEMPLATES if template.id == "chase_invoice")

    built = definition(chase, EVERYTHING, "es", ask_first=ask_first)

    check_definition(built, EVERYTHING)
    assert ("agreed" in {step.id for _, step in walk(built)}) is ask_first


async def test_the_templates_of_today(acme: Organization) -> None:
    found, _ = (await acme.live.call(LIST, {}))["templates"]
    whole = await acme.live.call(GET, {"id": "welcome_client"})

    assert found["name"] == {"es": "Dar la bienvenida a un cliente", "en": "Welcome a client"}
    assert {name: whole[name] for name in found} == found
    assert whole["parameters"]["properties"]["days"]["default"] == 3
    assert whole["trigger"]["event"] == "contact.created"
    assert [step["id"] for step in whole["steps"]] == ["start", "some_days", "client", "complete"]


async def test_in_either_language(acme: Organization) -> None:
    steps = [(await acme.live.call(GET, {"id": "welcome_client", "language": code}))["steps"] for code in ("es", "en")]
    made = await acme.live.call(CREATE, {"template_id": "welcome_client", "language": "en"})

    assert [found[0]["name"] for found in steps] == ["Anotar la bienvenida", "Note the welcome"]
    assert (made["name"], made["status"], made["steps"]) == ("Welcome a client", "draft", steps[1])


@pytest.mark.parametrize("template_id", ["chase_invoice", "nothing", "wf_01"])
async def test_a_template_that_is_not_there(acme: Organization, template_id: str) -> None:
    assert code_of(await acme.live.post(GET, {"id": template_id})) == (404, "RESOURCE_NOT_FOUND")
    assert code_of(await acme.live.post(CREATE, {"template_id": template_id})) == (404, "RESOURCE_NOT_FOUND")


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"days": 0}, ("parameters.days", "minimum")),
        ({"days": "3"}, ("parameters.days", "integer")),
        ({"client_tag": " "}, ("parameters.client_tag", "min_length")),
        ({"hours": 3}, ("parameters.hours", "unknown_field")),
    ],
)
async def test_wrong_parameters(acme: Organization, parameters: Json, problem: tuple[str, str]) -> None:
    reply = await acme.live.post(CREATE, {"template_id": "welcome_client", "parameters": parameters})

    assert problems(reply) == [problem]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("tag", ["cliente", "O'Brien \\ {{ 1 }} }}"])
async def test_welcoming_clients(
    acme: Organization, services: Services, clock: MovableClock, owner: psycopg.Connection, tag: str
) -> None:
    parameters = {"client_tag": tag, "days": 2, "missing_tag": "it's missing"}
    made = await acme.live.call(
        CREATE, {"template_id": "welcome_client", "name": "Hola", "status": "active", "parameters": parameters}
    )
    await acme.live.call("/v1/contacts/create", {"name": "Nadie"})
    whole = {"email": "ana@ejemplo.com", "phone": "+34 600 111 222"}
    clients = [
        await acme.live.call("/v1/contacts/create", {"name": "Ana", "tags": [tag], **fields}) for fields in (whole, {})
    ]

    await reacted(acme, owner)
    started = {run["input"]["data"]["id"]: run for run in await instances(acme.live, workflow_id=made["id"])}
    runs = [started.pop(client["id"]) for client in clients]
    assert started == {}
    for run in runs:
        await reached(acme.live, run, "waiting")
    later(services, clock, days=2, seconds=5)

    assert [(await ended(acme.live, run))["output"] for run in runs] == [{"complete": True}, {"complete": False}]
    after = [await acme.live.call("/v1/contacts/get", {"id": client["id"]}) for client in clients]
    assert [contact["custom_fields"]["onboarding"] for contact in after] == ["complete", "welcome"]
    assert [contact["tags"] for contact in after] == [[tag], [tag, "it's missing"]]
