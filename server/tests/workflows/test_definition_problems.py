"""What is wrong with a definition is said when it is saved, and where."""

from collections.abc import Sequence
from typing import Any

import pytest

from bivelio_server.workflows.checking import MAX_NESTING, MAX_STEPS
from tests.workflows.arranging import HELLO, code_of, create_contact, problems
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

PATH = "/v1/workflows/create"
EMPTY = {"id": "empty", "set": {}}


def branch(*steps: Any, step_id: str = "branch", otherwise: Sequence[Any] = ()) -> dict[str, Any]:
    return {"id": step_id, "if": "{{ input.yes }}", "then": list(steps), "else": list(otherwise)}


def choice(*, is_: Any) -> dict[str, Any]:
    return {"id": "choice", "switch": "{{ input.x }}", "cases": [{"is": is_, "steps": [EMPTY]}]}


def nested(levels: int) -> dict[str, Any]:
    """A step within `levels` conditions."""
    step: dict[str, Any] = {"id": "innermost", "set": {}}
    for level in range(levels):
        step = branch(step, step_id=f"level_{level}")
    return step


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ([{"id": "a", "uses": "contacts.fly"}], ("steps[0].uses", "operation")),
        ([{"id": "a", "uses": "keys.list"}], ("steps[0].uses", "operation")),
        ([{"id": "a", "uses": "contacts.get"}], ("steps[0].with.id", "required")),
        ([create_contact(surname="García")], ("steps[0].with.surname", "unknown_field")),
        ([create_contact(surname="{{ input.surname }}")], ("steps[0].with.surname", "unknown_field")),
        ([create_contact(name=3)], ("steps[0].with.name", "string")),
        ([create_contact(type="robot")], ("steps[0].with.type", "one_of")),
        ([create_contact(email="maria")], ("steps[0].with.email", "email")),
        ([create_contact(tags=["a", 2])], ("steps[0].with.tags[1]", "string")),
        ([create_contact(tags=["{{ input.tag }}", 2])], ("steps[0].with.tags[1]", "string")),
        ([EMPTY, HELLO, branch(create_contact(email=7))], ("steps[2].then[0].with.email", "string")),
        ([branch(EMPTY, otherwise=[create_contact(email=7)])], ("steps[0].else[0].with.email", "string")),
        ([branch(branch(create_contact(email=7), step_id="inner"))], ("steps[0].then[0].then[0].with.email", "string")),
        ([create_contact(email="{{ input. }}")], ("steps[0].with.email", "expression")),
        ([create_contact(custom_fields={"a": ["{{ 1 + }}"]})], ("steps[0].with.custom_fields.a[0]", "expression")),
        ([{"id": "a", "set": {"x": {"y": "{{ 'open }}"}}}], ("steps[0].set.x.y", "expression")),
        ([{**branch(), "if": "{{ input.a && }}"}], ("steps[0].if", "expression")),
        ([{**branch(), "if": "input.plan == 'pro'"}], ("steps[0].if", "expression")),
        ([{**branch(), "if": "{{ true }} or {{ false }}"}], ("steps[0].if", "expression")),
        ([{"id": "a", "set": {"x": "{{ customer.name }}"}}], ("steps[0].set.x", "reference")),
        ([{"id": "a", "set": {"x": "{{ steps.b.output }}"}}], ("steps[0].set.x", "reference")),
        ([{"id": "a", "set": {"x": "{{ steps.a.output }}"}}], ("steps[0].set.x", "reference")),
        ([{**branch(), "if": "{{ steps.b.output }}"}], ("steps[0].if", "reference")),
        ([EMPTY, branch(EMPTY)], ("steps[1].then[0].id", "unique")),
        ([{"id": "a", "uses": "contacts.list", "wait": {"seconds": 1}}], ("steps[0]", "one_of")),
        ([{"id": "a"}], ("steps[0]", "one_of")),
        (["contacts.create"], ("steps[0]", "one_of")),
        ([{"uses": "contacts.list"}], ("steps[0].id", "required")),
        ([{"id": "Mal id", "set": {}}], ("steps[0].id", "pattern")),
        ([{"id": "a", "wait": {"seconds": -1}}], ("steps[0].wait.seconds", "minimum")),
        ([{"id": "a", "wait": {"seconds": True}}], ("steps[0].wait.seconds", "integer")),
        ([{"id": "a", "wait": {}}], ("steps[0].wait", "required")),
        ([{"id": "a", "if": "{{ true }}"}], ("steps[0].then", "required")),
        ([branch(branch({"id": "a"}, step_id="inner"))], ("steps[0].then[0].then[0]", "one_of")),
        ([{"id": "a", "wait": {"seconds": "60"}}], ("steps[0].wait.seconds", "number")),
        ([{"id": "a", "wait": {"until": "mañana"}}], ("steps[0].wait.until", "date-time")),
        ([choice(is_="{{ input.plan }}")], ("steps[0].cases[0].is", "value")),
        ([choice(is_=["pro", "{{ input.plan }}"])], ("steps[0].cases[0].is", "value")),
        ([{"id": "a", "for_each": [1], "as": "steps", "steps": [EMPTY]}], ("steps[0].as", "reserved")),
        ([{"id": "a", "for_each": [1], "as": "in", "steps": [EMPTY]}], ("steps[0].as", "reserved")),
        ([], ("steps", "min_items")),
        ([{"id": f"s{number}", "set": {}} for number in range(101)], ("steps", "max_items")),
    ],
    ids=lambda value: f"{value[0]} {value[1]}" if isinstance(value, tuple) else "",
)
async def test_a_problem_is_located(acme: Organization, steps: list[Any], problem: tuple[str, str]) -> None:
    reply = await acme.live.post(PATH, {"name": "Mal", "steps": steps})

    assert problems(reply) == [problem]


async def test_all_problems_are_told_at_once(acme: Organization) -> None:
    steps = [
        {"id": "a", "uses": "contacts.create", "with": {"email": "maria", "name": "{{ inptu.name }}"}},
        {"id": "b", "set": {"x": "{{ 1 + }}", "y": "{{ steps.c.output }}"}},
        {"id": "a", "uses": "contacts.fly"},
    ]

    reply = await acme.live.post(PATH, {"name": "Mal", "steps": steps, "output": {"z": "{{ steps.d.output }}"}})

    assert problems(reply) == [
        ("steps[0].with.name", "reference"),
        ("steps[0].with.email", "email"),
        ("steps[1].set.x", "expression"),
        ("steps[1].set.y", "reference"),
        ("steps[2].id", "unique"),
        ("steps[2].uses", "operation"),
        ("output.z", "reference"),
    ]


async def test_too_many_steps_in_all(acme: Organization) -> None:
    half = [{"id": f"s{number}", "set": {}} for number in range(100)]
    other = [{"id": f"t{number}", "set": {}} for number in range(MAX_STEPS - 100)]

    reply = await acme.live.post(PATH, {"name": "Mal", "steps": [branch(*half, otherwise=other)]})

    assert problems(reply) == [("steps", "max_items")]


async def test_steps_that_nest_too_deep(acme: Organization) -> None:
    fits = await acme.live.post(PATH, {"name": "Bien", "steps": [nested(MAX_NESTING - 1)]})
    reply = await acme.live.post(PATH, {"name": "Mal", "steps": [nested(MAX_NESTING)]})

    assert fits.status_code == 200
    assert problems(reply) == [(f"steps[0]{'.then[0]' * MAX_NESTING}", "max_depth")]


@pytest.mark.parametrize(
    ("trigger", "problem"),
    [
        ({}, ("trigger", "one_of")),
        ({"type": "magic"}, ("trigger", "one_of")),
        ({"type": "event"}, ("trigger.event", "required")),
        ({"type": "event", "event": "contact.exploded"}, ("trigger.event", "one_of")),
        ({"type": "manual", "event": "contact.created"}, ("trigger.event", "unknown_field")),
    ],
)
async def test_a_trigger_that_is_none(acme: Organization, trigger: Any, problem: tuple[str, str]) -> None:
    reply = await acme.live.post(PATH, {"name": "Mal", "steps": [EMPTY], "trigger": trigger})

    assert problems(reply) == [problem]


async def test_what_only_the_run_can_judge_is_no_problem(acme: Organization) -> None:
    steps = [
        create_contact(
            name="{{ input.name }}", email="{{ input.email }}", tags="{{ input.tags }}", type="{{ input.t }}"
        ),
        {
            "id": "tag",
            "uses": "contacts.update",
            "with": {"id": "{{ steps.contact.output.id }}", "tags": ["{{ now }}"]},
        },
        branch({"id": "both", "set": {"x": "{{ run.id }} {{ steps['tag'].output.id }}"}}),
        {"id": "all", "set": {"names": "{{ input.people.map(p, p.name) }}", "text": "{ {} }", "braces": "{{ '{{' }}"}},
    ]

    reply = await acme.live.post(PATH, {"name": "Bien", "steps": steps, "output": {"x": "{{ steps.all.output }}"}})

    assert reply.status_code == 200, reply.text


@pytest.mark.parametrize(
    ("step", "es", "en"),
    [
        (
            {"id": "a", "uses": "contacts.fly"},
            "La operación 'contacts.fly' no existe o no se ofrece como paso.",
            "The operation 'contacts.fly' does not exist or is no step.",
        ),
        (
            {"id": "a", "set": {"x": "Hola {{ 1 + }}"}},
            "(columna 13)",
            "(column 13)",
        ),
        (
            {"id": "a", "set": {"x": "{{ steps.b.output }}"}},
            "No hay un paso anterior 'b'.",
            "There is no earlier step 'b'.",
        ),
        (
            {"id": "a", "set": {"x": "{{ foo }}"}},
            "'foo' no existe aquí; hay: input, now, run, steps.",
            "'foo' does not exist here; there are: input, now, run, steps.",
        ),
        (
            {"id": "a", "uses": "contacts.get"},
            "El campo 'steps[0].with.id' es obligatorio.",
            "The field 'steps[0].with.id' is required.",
        ),
        (
            {"id": "Mal id", "set": {}},
            "El campo 'steps[0].id' lleva letras minúsculas sin acentos,",
            "The field 'steps[0].id' takes small letters without accents,",
        ),
        (
            {"id": "a"},
            "El paso 'steps[0]' debe tener una sola de estas palabras: uses, if, switch,",
            "The step 'steps[0]' must have exactly one of: uses, if, switch,",
        ),
    ],
)
async def test_problems_in_both_languages(acme: Organization, step: Any, es: str, en: str) -> None:
    data = {"name": "Mal", "steps": [step]}
    english = Client(acme.live.http, {**acme.live.headers, "Accept-Language": "en"})

    spanish_reply, english_reply = await acme.live.post(PATH, data), await english.post(PATH, data)

    assert es in spanish_reply.json()["error"]["message"]
    assert en in english_reply.json()["error"]["message"]
    assert code_of(spanish_reply) == code_of(english_reply)


async def test_nothing_half_done_stays_behind(acme: Organization) -> None:
    await acme.live.post(PATH, {"name": "Mal", "steps": [{"id": "a", "uses": "contacts.fly"}]})

    assert (await acme.live.call("/v1/workflows"))["pagination"]["total"] == 0
