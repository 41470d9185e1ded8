"""Names that are not there are told when a workflow is saved: where, and what there is instead."""

from typing import Any

import pytest

from bivelio_server.app import EVENTS, FEATURES
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.operations import Catalogue
from bivelio_server.workflows.checking import check_definition
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.expressions import parse
from bivelio_server.workflows.reference_checking import Shape, inferred, shape_of_schema, texts

Json = dict[str, Any]
CATALOGUE = Catalogue(FEATURES)
CONTACT = {"id": "contact", "uses": "contacts.create", "with": {"name": "Ana"}}
FOUND = {"id": "found", "uses": "contacts.list", "with": {}}
SCHEMA = {
    "type": "object",
    "properties": {
        "client": {"$ref": "#/$defs/client"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {}}, "additionalProperties": False}},
        "notes": {"type": "object", "properties": {"a": {}}},
        "totals": {"type": "object", "additionalProperties": {"type": "number"}},
        "either": {"anyOf": [{"$ref": "#/$defs/client"}, {"type": "null"}]},
    },
    "additionalProperties": False,
    "$defs": {
        "client": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "parent": {"$ref": "#/$defs/client"}},
            "additionalProperties": False,
        }
    },
}


def told(*steps: Json, **fields: Any) -> list[Problem]:
    definition = Definition.model_validate({"trigger": {"type": "manual"}, "steps": list(steps), **fields})
    try:
        check_definition(definition, CATALOGUE, events=EVENTS.by_name)
    except ValidationFailed as refused:
        return refused.problems
    return []


def shown(text: str) -> Json:
    return {"id": "shown", "set": {"x": text}}


def english(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.field, problem.text.en) for problem in problems]


@pytest.mark.parametrize(
    "expression",
    [
        "steps.contact.output.email",
        "steps.contact.output['email']",
        "steps['contact'].output.custom_fields.anything.at.all",
        "steps.contact.output.tags.map(t, t + '!')",
        "steps.contact.output.tags[0]",
        "steps.contact.status == 'completed' && steps.contact.error == null",
        "steps.contact.error.details.whatever",
        "steps.found.output.contacts.map(c, c.name)",
        "steps.found.output.contacts.filter(c, c.email != null).sortBy(c, c.name)[0].phone",
        "steps.found.output.contacts.first().name",
        "steps.found.output.pagination.total",
        "steps.found.output.contacts.groupBy(c, c.type).person[0].name",
        "steps[input.which].output.nope",
        "steps.contact.output[input.field]",
        "cel.bind(c, steps.contact.output, c.name + c.email)",
        "(input.a ? steps.contact.output : steps.contact.output).name",
        "{'a': steps.contact.output}.a.name",
        "has(steps.contact.output.phone) && steps.?contact.?output.?phone.orValue('') != ''",
        "input.anything.at.all",
        "run.id + run.workflow_id + string(now)",
        "json.decode(input.text).field",
    ],
)
def test_what_may_be_there_is_no_problem(expression: str) -> None:
    assert told(CONTACT, FOUND, shown(f"{{{{ {expression} }}}}")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ steps.contact.output.emial }}", "'steps.contact.output' has no 'emial'; it has: company_id, created_at,"),
        (
            "a {{ 1 }} {{ steps.contact.otput.id }}",
            "'steps.contact' has no 'otput'; it has: error, output, status. (column 28)",
        ),
        ("{{ steps.contcat.output }}", "There is no earlier step 'contcat'; there are: contact, found. (column 10)"),
        ("{{ steps.shown.output }}", "There is no earlier step 'shown'; there are: contact, found. (column 10)"),
        ("{{ customer.name }}", "'customer' does not exist here; there are: input, now, run, steps. (column 4)"),
        ("{{ run.name }}", "'run' has no 'name'; it has: id, workflow_id. (column 8)"),
        ("{{ now.year }}", "'now' has no fields, so it has no 'year'. (column 8)"),
        ("{{ steps.contact.output.name.first }}", "'steps.contact.output.name' has no fields, so it has no 'first'."),
        ("{{ steps.contact.output['emial'] }}", "'steps.contact.output' has no 'emial'"),
        ("{{ steps.contact.output.tags.size }}", "'steps.contact.output.tags' is a list and has no 'size'"),
        ("{{ steps.found.output.contacts.name }}", "'steps.found.output.contacts' is a list and has no 'name'"),
        ("{{ steps.found.output.contacts[0].nam }}", "'steps.found.output.contacts[…]' has no 'nam'"),
        ("{{ steps.found.output.contacts.map(c, c.nam) }}", "'c' has no 'nam'"),
        ("{{ steps.found.output.contacts.filter(c, c.nam == '') }}", "'c' has no 'nam'"),
        ("{{ steps.found.output.contacts.transformList(i, c, i.x) }}", "'i' has no fields"),
        ("{{ steps.found.output.contacts.sortBy(c, c.name)[0].nam }}", "has no 'nam'"),
        ("{{ steps.found.output.contacts.first().orValue(null).nam }}", "has no 'nam'"),
        ("{{ has(steps.contact.output.emial) }}", "'steps.contact.output' has no 'emial'"),
        ("{{ steps.contact.output.?emial.orValue('') }}", "'steps.contact.output' has no 'emial'"),
        ("{{ cel.bind(c, steps.contact.output, c.emial) }}", "'c' has no 'emial'"),
        ("{{ {'a': 1}.b }}", "'…' has no 'b'; it has: a. (column 13)"),
        ("{{ coalesce(steps.contact.output, null).emial }}", "'…' has no 'emial'"),
    ],
)
def test_what_cannot_be_there_is_told_with_its_place_and_what_there_is(text: str, message: str) -> None:
    [problem] = told(CONTACT, FOUND, shown(text))

    assert (problem.field, problem.constraint) == ("steps[2].set.x", "reference")
    assert message in problem.text.en
    assert "(columna " in problem.text.es
    assert problem.text.es != problem.text.en


def test_every_fault_of_a_text_is_told() -> None:
    text = "{{ steps.contact.output.a + inptu.b }} {{ steps.c }}"

    assert [problem.text.en[-12:] for problem in told(CONTACT, shown(text))] == [
        " (column 25)",
        " (column 29)",
        " (column 49)",
    ]


@pytest.mark.parametrize(
    ("expression", "faults"),
    [
        ("input.client.name + input.client.parent.parent.name", 0),
        ("input.lines.map(line, line.n)", 0),
        ("input.notes.b.c", 0),
        ("input.totals.january", 0),
        ("input.either.name", 0),
        ("input.client.nme", 1),
        ("input.client.parent.parent.nme", 1),
        ("input.lines.map(line, line.m)", 1),
        ("input.customer", 1),
        ("input.totals.january.x", 1),
        ("input.either.nme", 1),
    ],
)
def test_the_input_is_as_its_schema_says(expression: str, faults: int) -> None:
    assert len(told(shown(f"{{{{ {expression} }}}}"), input_schema=SCHEMA)) == faults


@pytest.mark.parametrize(
    ("expression", "faults"),
    [
        ("input.data.name + input.event + input.timestamp", 0),
        ("input.data.custom_fields.anything", 0),
        ("input.data.nme", 1),
        ("input.brought_by_hand", 0),
        ("input.event.name", 1),
        ("input.data.tags.x", 1),
    ],
)
def test_the_input_is_the_event_that_triggers(expression: str, faults: int) -> None:
    trigger = {"type": "event", "event": "contact.created"}

    assert len(told(shown(f"{{{{ {expression} }}}}"), trigger=trigger)) == faults


def test_a_schema_counts_more_than_the_trigger() -> None:
    trigger = {"type": "event", "event": "contact.created"}

    assert told(shown("{{ input.data.nme }}"), trigger=trigger, input_schema={"type": "object"}) == []


def test_filters_and_awaited_events_see_their_event() -> None:
    trigger = {"type": "event", "event": "contact.created", "if": "{{ input.data.nme == input.name }}"}
    paid = {
        "id": "paid",
        "wait_for_event": {"event": "invoice.paid", "if": "{{ event.data.total > 0 && event.data.x }}"},
    }

    problems = english(told(paid, shown("{{ steps.paid.output.data.y }}"), trigger=trigger))

    assert [field for field, _ in problems] == [
        "trigger.if",
        "trigger.if",
        "steps[0].wait_for_event.if",
        "steps[1].set.x",
    ]
    assert problems[0][1].startswith("'input.data' has no 'nme'")


def test_control_steps_give_what_they_say() -> None:
    steps: list[Json] = [
        {"id": "each", "for_each": "{{ steps.found.output.contacts }}", "as": "person", "steps": [
            {"id": "one", "set": {"a": "{{ person.name }}", "b": "{{ person.nme }}", "c": "{{ index }} {{ item }}"}}]},
        {"id": "both", "parallel": {"left": [CONTACT], "right": [{"id": "r", "set": {"z": 1}}]}},
        {"id": "again", "while": "{{ index < 3 && !has(steps.turn.output.y) }}", "max": 3, "steps": [
            {"id": "turn", "set": {"x": "{{ steps.turn.output.x }}"}}]},
        {"id": "call", "http_request": {"url": "https://example.com/{{ secrets.TOKEN }}{{ secret.X }}"}},
        {"id": "other", "run_workflow": {"workflow_id": "wf_1", "input": {"a": "{{ steps.call.output.sttus }}"}}},
    ]  # fmt: skip
    end = {
        "ok": "{{ steps.each.output.results[0].output.a }} {{ steps.both.output.branches.left.email }}"
        "{{ steps.both.output.branches.right.z }} {{ steps.again.output.output.x }} {{ steps.call.output.body.any }}"
        "{{ steps.other.output.output.any }}",
        "each": "{{ steps.each.output.results.map(r, r.outptu) }}",
        "one": "{{ steps.one.output.a }}",
        "both": "{{ steps.both.output.branches.middle }}",
        "left": "{{ steps.both.output.branches.left.emial }}",
        "again": "{{ steps.again.output.output.y }}",
    }

    problems = told(FOUND, *steps, output=end)

    assert [problem.field for problem in problems] == [
        "steps[1].steps[0].set.b",
        "steps[1].steps[0].set.c",
        "steps[3].while",
        "steps[4].http_request.url",
        "steps[5].run_workflow.input.a",
        *(f"output.{name}" for name in ("each", "one", "both", "left", "again")),
    ]


def test_handlers_see_the_error() -> None:
    handler = [{"id": "note", "set": {"why": "{{ error.message }} {{ error.code }}", "x": "{{ error.mesage }}"}}]
    failing = {**CONTACT, "on_error": handler}
    last = [{"id": "tell", "set": {"x": "{{ error.path }} {{ error.pth }}"}}]

    problems = told(failing, shown("{{ error.message }}"), on_error=last)

    assert [problem.field for problem in problems] == [
        "steps[0].on_error[0].set.x",
        "steps[1].set.x",
        "on_error[0].set.x",
    ]


def test_more_expressions_than_may_be_read_are_refused() -> None:
    text = "{{ '" + "a" * 4000 + "' }}"
    many = [{"id": f"s{number}", "set": {"x": text}} for number in range(texts.MAX_COST // 4000 + 1)]

    [problem] = told(*many)

    assert (problem.field, problem.constraint) == ("steps", "max_length")


def test_schemas_that_hold_themselves_take_no_time() -> None:
    doubling = {f"d{level}": {"anyOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(500)}
    endless = {"type": "object", "properties": {"again": {"$ref": "#"}}, "additionalProperties": False}

    deep = shape_of_schema({"$ref": "#/$defs/d0", "$defs": {**doubling, "d500": {"$ref": "#/$defs/d500"}}})
    again = shape_of_schema(endless)

    assert faults("x.a.b", deep) == 0
    assert faults("x" + ".again" * 45, again) == 0
    assert faults("x" + ".again" * 45 + ".agian", again) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "properties": "nonsense"},
        {"type": ["object", "string"], "properties": {"a": {}}},
        {"type": "object", "patternProperties": {"^a": {}}, "additionalProperties": False},
        {"allOf": [{"type": "object", "properties": {}, "additionalProperties": False}]},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/none"},
        {"$ref": 7},
        {"enum": [1, {"a": 2}]},
        {"type": "array", "prefixItems": [{}]},
    ],
)
def test_of_what_a_schema_leaves_open_nothing_is_told(schema: Any) -> None:
    assert faults("x.b" if schema.get("type") != "array" else "x[0].b", shape_of_schema(schema)) == 0


def faults(source: str, shape: Shape) -> int:
    return len(inferred(parse(source), {"x": shape})[1])
