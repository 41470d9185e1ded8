"""Workflows go on as they were written when a later version of the API changes the shape of an operation or event."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bivelio_server.app import FEATURES, HANDLERS
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import ValidationFailed
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.text import Text
from bivelio_server.kit.versions import Version, VersionChange, Versions
from bivelio_server.workflows.checking import check_definition
from bivelio_server.workflows.definition import Definition
from tests.workflows.arranging import ended, instances, reached, started, step_of, until, workflow
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

OLD, NEW = "2026-04-07", "2027-01-15"


def renamed(data: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    if old in data:
        data[new] = data.pop(old)
    return data


LATER = Versions(
    [Version(OLD, Text("", "")), Version(NEW, Text("", ""))],
    [
        VersionChange(
            version=NEW,
            summary=Text("", ""),
            operation="contacts.create",
            upgrade_input=lambda data: renamed(data, "full_name", "name"),
            downgrade_output=lambda output: renamed(output, "name", "full_name"),
            events=frozenset({"contact.created"}),
            downgrade_event=lambda _, data: renamed(data, "name", "full_name"),
        )
    ],
)
CATALOGUE = Catalogue(FEATURES, LATER)
STEP = {"id": "contact", "uses": "contacts.create", "with": {"full_name": "{{ input.name }}"}}


@pytest.fixture
async def later_worker(services: Services) -> AsyncIterator[None]:
    async with working(replace(services, catalogue=CATALOGUE), HANDLERS):
        yield


def test_steps_are_checked_in_the_version_they_were_written_for() -> None:
    definition = Definition.model_validate({"trigger": {"type": "manual"}, "steps": [STEP]})

    check_definition(definition, CATALOGUE, OLD)
    with pytest.raises(ValidationFailed) as refused:
        check_definition(definition, CATALOGUE)

    assert [problem.field for problem in refused.value.problems] == ["steps[0].with.name", "steps[0].with.full_name"]
    assert definition.as_written()["steps"] == [STEP]


@pytest.mark.usefixtures("later_worker")
async def test_a_run_reads_and_shows_the_shapes_of_its_version(acme: Organization) -> None:
    made = await workflow(
        acme.live,
        {"id": "contact", "uses": "contacts.create", "with": {"name": "x"}},
        output={"name": "{{ steps.contact.output['full_' + 'name'] }}"},
    )
    acme.world.database.execute(
        "update workflow_versions set definition = jsonb_set(definition::jsonb, '{steps,0,with}', %s)"
        " where org_id = %s",
        ('{"full_name": "Ana"}', acme.id),
    )

    run = await ended(acme.live, await started(acme.live, made))

    assert run["output"] == {"name": "Ana"}
    step = step_of(run, "contact")
    assert (step["input"], step["output"]["full_name"]) == ({"full_name": "Ana"}, "Ana")
    contact = await acme.live.call("/v1/contacts/get", {"id": step["output"]["id"]})
    assert contact["name"] == "Ana"


@pytest.mark.usefixtures("later_worker")
async def test_an_event_starts_a_run_in_the_shape_of_its_version(acme: Organization) -> None:
    name = "input.data['full_' + 'name']"
    trigger = {"type": "event", "event": "contact.created", "if": f"{{{{ {name} == 'Ana' }}}}"}
    told = {"id": "told", "set": {"name": f"{{{{ {name} }}}}"}}
    await workflow(acme.live, told, trigger=trigger)

    for each in ("Eva", "Ana"):
        await acme.live.call("/v1/contacts/create", {"name": each})
    await until(lambda: _have_begun(acme, 1))

    [run] = await instances(acme.live)
    assert (await ended(acme.live, run))["output"] == {"name": "Ana"}


@pytest.mark.usefixtures("later_worker")
@pytest.mark.parametrize("condition", ["event.data.full_name == input.name", "event.data.full_name.startsWith('A')"])
async def test_a_run_awaits_an_event_in_the_shape_of_its_version(acme: Organization, condition: str) -> None:
    come = {"id": "come", "wait_for_event": {"event": "contact.created", "if": "{{ event.data.name == 'x' }}"}}
    made = await workflow(acme.live, come, output={"name": "{{ steps.come.output.data['full_' + 'name'] }}"})
    acme.world.database.execute(
        "update workflow_versions set definition = jsonb_set(definition::jsonb, '{steps,0,wait_for_event,if}', %s)"
        " where org_id = %s",
        (f'"{{{{ {condition} }}}}"', acme.id),
    )
    run = await reached(acme.live, await started(acme.live, made, name="Ana"), "waiting")

    for each in ("Eva", "Ana"):
        await acme.live.call("/v1/contacts/create", {"name": each})

    assert (await ended(acme.live, run))["output"] == {"name": "Ana"}


async def _have_begun(acme: Organization, count: int) -> bool:
    return len(await instances(acme.live)) == count
