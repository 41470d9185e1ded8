"""The guide and the reference page say nothing that does not work: every example of theirs is carried out."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.arranging import ENDED, reached
from tests.workflows.deciding import waiting_in
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

DOCS = Path(__file__).parents[3] / "docs"
_BLOCK = re.compile(r"^```(json|http)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> Iterator[tuple[str, str]]:
    """The kind and the text of every example of a page."""
    return ((found[1], found[2]) for found in _BLOCK.finditer((DOCS / page).read_text()))


class Reader:
    """Somebody who tries the examples one after another: WORKFLOW is the latest made, RUN the latest started, APPROVAL
    what it waits for."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.workflow = self.run = self.approval = ""
        self.runs: list[dict[str, Any]] = []

    async def try_out(self, kind: str, text: str) -> None:
        if kind == "json":
            given = json.loads(text)
            if "steps" in given:  # others are data that the text speaks of
                await self.ask("/v1/workflows/create", given)
            return
        line, body = text.split("\n", 1)
        known = {"WORKFLOW": self.workflow, "RUN": self.run, "APPROVAL": self.approval}
        for name, value in known.items():
            body = body.replace(f'"{name}"', f'"{value}"')
        await self.ask(line.removeprefix("POST "), json.loads(body)["data"])

    async def ask(self, path: str, data: dict[str, Any]) -> None:
        reply = await self.client.call(path, data)
        if path.endswith(("/create", "/create_from_template")):
            self.workflow = reply["id"]
        if path.endswith("/execute"):
            await self.follow(reply)

    async def follow(self, run: dict[str, Any]) -> None:
        self.run = run["instance_id"]
        found = await reached(self.client, run, "waiting", *ENDED)
        self.runs.append(found)
        if found["status"] == "waiting":
            [approval] = await waiting_in(self.client, found)
            self.approval = approval["approval_id"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("page", ["workflows-guide.md", "workflows.md"])
async def test_every_example_works(acme: Organization, page: str) -> None:
    reader = Reader(acme.live)

    for kind, text in blocks(page):
        await reader.try_out(kind, text)

    assert reader.workflow
    assert {run["status"] for run in reader.runs} <= {"completed", "waiting"}, reader.runs


@pytest.mark.usefixtures("worker")
async def test_the_examples_of_expressions_give_what_they_seem_to(acme: Organization) -> None:
    examples = list(blocks("workflows-guide.md"))
    position = next(number for number, (_, text) in enumerate(examples) if '"as_money"' in text)
    reader = Reader(acme.live)

    for example in examples[position : position + 2]:
        await reader.try_out(*example)

    assert reader.runs[0]["output"] == {
        "greeting": "Hola, María",
        "total": 1210,
        "as_money": "1.210,00\xa0€",
        "is_large": False,
        "is_client": True,
        "first_names": ["Ana", "Eva"],
        "in_thirty_days": "2026-05-07",
        "phone_or_nothing": "sin teléfono",
    }
