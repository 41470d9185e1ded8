"""The requests and responses that the reference prints, kept in `contract/examples/`, and the world they need.

Each file: `operation`, `path`, `request` and `response` as printed; `bind` puts a fixture's value into the request
(`request.data.company_id: company_id`), `needs` names fixtures that only have to be there, `nullable` fields that are
null until something happened. A file with `event` and `payload` is what a webhook receives.
"""

import copy
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.world import PASSWORD, Organization

FOLDER: Final = Path(__file__).parents[3] / "contract"


@dataclass(frozen=True)
class Example:
    name: str
    content: Mapping[str, Any]

    @property
    def operation(self) -> str | None:
        return self.content.get("operation")

    async def bound(self, organization: Organization) -> dict[str, Any]:
        """The example with the ids, addresses and secrets of this organisation in its request."""
        for name in self.content.get("needs", []):
            await FIXTURES[name](organization)
        filled = copy.deepcopy(dict(self.content))
        for path, name in self.content.get("bind", {}).items():
            *parents, last = path.split(".")
            place = filled
            for parent in parents:
                place = place[parent]
            place[last] = await FIXTURES[name](organization)
        return filled


def examples() -> list[Example]:
    return [Example(path.stem, json.loads(path.read_text())) for path in sorted((FOLDER / "examples").glob("*.json"))]


def example(name: str) -> Example:
    return next(found for found in examples() if found.name == name)


async def publishable_key(organization: Organization) -> str:
    return organization.made.keys.live_publishable


async def email(organization: Organization) -> str:
    return organization.email


async def password(_organization: Organization) -> str:
    return PASSWORD


async def refresh_token(organization: Organization) -> str:
    return str((await organization.sign_in())["refresh_token"])


async def company_id(organization: Organization) -> str:
    """The company of the printed list."""
    [company] = example("contacts.list").content["response"]["data"]["contacts"]
    given = ("type", "name", "email", "phone", "tags", "custom_fields")
    return await _made(organization, "/v1/contacts/create", {name: company[name] for name in given})


async def contact_id(organization: Organization) -> str:
    """The person that the printed request creates."""
    printed = await example("contacts.create").bound(organization)
    return await _made(organization, printed["path"], printed["request"]["data"])


async def workflow_id(organization: Organization) -> str:
    """The first workflow of the printed list, with its seven steps."""
    printed = example("workflows.list").content["response"]["data"]["workflows"][0]
    steps = [{"id": f"paso_{number}", "set": {"numero": number}} for number in range(1, printed["steps_count"] + 1)]
    data = {"name": printed["name"], "description": printed["description"], "steps": steps}
    return await _made(organization, "/v1/workflows/create", data)


async def running_workflow_id(organization: Organization) -> str:
    """A workflow with a run under way."""
    workflow = await workflow_id(organization)
    await organization.live.call(
        "/v1/workflows/execute", {"workflow_id": workflow, "input": {"client_name": "Empresa ABC"}}
    )
    return workflow


async def webhook_id(organization: Organization) -> str:
    """The webhook that the printed request creates."""
    printed = example("webhooks.create").content
    return await _made(organization, printed["path"], printed["request"]["data"], "webhook_id")


async def _made(organization: Organization, path: str, data: dict[str, Any], name: str = "id") -> str:
    return str((await organization.live.call(path, data))[name])


Fixture: TypeAlias = Callable[[Organization], Awaitable[str]]
FIXTURES: Final[Mapping[str, Fixture]] = {
    made.__name__: made
    for made in (
        publishable_key, email, password, refresh_token, company_id, contact_id, workflow_id, running_workflow_id,
        webhook_id,
    )
}  # fmt: skip
