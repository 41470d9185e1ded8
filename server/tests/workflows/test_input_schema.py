"""A workflow may say what its input must look like; a wrong one is refused before anything runs."""

from decimal import Decimal
from typing import Any

import pytest

from bivelio_server.kit import json
from tests.workflows.arranging import code_of, exact, instances, problems, run, started, workflow
from tests.world import Organization

pytestmark = pytest.mark.anyio

HELLO = {"id": "hello", "set": {"text": "Hola"}}
GREETING = {"id": "hello", "set": {"text": "Hola {{ input.name }}"}}
Json = dict[str, Any]
CREATE, EXECUTE, GET = "/v1/workflows/create", "/v1/workflows/execute", "/v1/workflows/get"
CLIENT: Json = {
    "type": "object",
    "title": "Cliente nuevo",
    "properties": {
        "client_name": {"type": "string", "title": "Nombre", "minLength": 2, "maxLength": 80},
        "client_email": {"type": "string", "format": "email", "description": "Donde escribirle"},
        "plan": {"type": "string", "enum": ["basic", "pro"], "default": "basic"},
        "seats": {"type": "integer", "minimum": 1, "maximum": 500, "default": 1},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "country": {"type": "string", "default": "ES"}},
            "additionalProperties": False,
        },
        "lines": {"type": "array", "maxItems": 3, "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["client_name", "client_email"],
    "additionalProperties": False,
    "$defs": {
        "line": {
            "type": "object",
            "required": ["concept"],
            "properties": {
                "concept": {"type": "string"},
                "price": {"type": "number", "multipleOf": Decimal("0.01"), "exclusiveMinimum": 0},
                "tax": {"type": "number", "default": 21},
            },
        }
    },
}
FITTING: Json = {"client_name": "Empresa ABC", "client_email": "abc@ejemplo.com"}


@pytest.fixture
async def onboarding(acme: Organization) -> Json:
    made: Json = await exact(acme.live, CREATE, {"name": "Alta", "steps": [HELLO], "input_schema": CLIENT})
    return made


async def test_the_schema_is_kept_as_it_was_written(acme: Organization, onboarding: Json) -> None:
    found = await exact(acme.live, GET, {"id": onboarding["id"]})

    assert found == onboarding
    assert json.dumps(found["input_schema"]) == json.dumps(CLIENT), "in the order of a form's fields, too"


@pytest.mark.parametrize(
    ("input_", "problem"),
    [
        ({"client_name": "Empresa ABC"}, ("input.client_email", "required")),
        ({**FITTING, "client_email": "abc"}, ("input.client_email", "email")),
        ({**FITTING, "client_email": 3}, ("input.client_email", "string")),
        ({**FITTING, "client_name": "A"}, ("input.client_name", "min_length")),
        ({**FITTING, "client_name": "A" * 81}, ("input.client_name", "max_length")),
        ({**FITTING, "plan": "gold"}, ("input.plan", "one_of")),
        ({**FITTING, "seats": 0}, ("input.seats", "minimum")),
        ({**FITTING, "seats": 501}, ("input.seats", "maximum")),
        ({**FITTING, "seats": "2"}, ("input.seats", "integer")),
        ({**FITTING, "seats": True}, ("input.seats", "integer")),
        ({**FITTING, "surname": "García"}, ("input.surname", "unknown_field")),
        ({**FITTING, "address": {"street": "Mayor"}}, ("input.address.street", "unknown_field")),
        ({**FITTING, "address": None}, ("input.address", "object")),
        ({**FITTING, "lines": [{"concept": "a"}, {}]}, ("input.lines[1].concept", "required")),
        ({**FITTING, "lines": [{"concept": "a", "price": 0}]}, ("input.lines[0].price", "exclusive_minimum")),
        ({**FITTING, "lines": [{"concept": "a", "price": 1.005}]}, ("input.lines[0].price", "multiple_of")),
        ({**FITTING, "lines": [{"concept": "a"}] * 4}, ("input.lines", "max_items")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_wrong_input_is_refused_where_it_is_wrong(
    acme: Organization, onboarding: Json, input_: Json, problem: tuple[str, str]
) -> None:
    reply = await acme.live.post(EXECUTE, {"workflow_id": onboarding["id"], "input": input_})

    assert problems(reply) == [problem]
    assert await instances(acme.live) == []


async def test_all_that_is_wrong_is_told_at_once_in_both_languages(acme: Organization, onboarding: Json) -> None:
    wrong = {"workflow_id": onboarding["id"], "input": {"client_email": "abc", "plan": "gold"}}

    messages = [
        [found["message"] for found in reply.json()["error"]["details"]["errors"]]
        for reply in [
            await acme.live.http.post(
                EXECUTE, json={"data": wrong}, headers={**acme.live.headers, "Accept-Language": language}
            )
            for language in ("es", "en")
        ]
    ]

    assert messages == [
        [
            "El campo 'input.client_name' es obligatorio.",
            "El campo 'input.client_email' debe ser una dirección de correo (como nombre@dominio.com).",
            'El campo \'input.plan\' debe ser uno de: "basic", "pro".',
        ],
        [
            "The field 'input.client_name' is required.",
            "The field 'input.client_email' must be an e-mail address (such as name@domain.com).",
            'The field \'input.plan\' must be one of: "basic", "pro".',
        ],
    ]


async def test_defaults_are_filled_in(acme: Organization, onboarding: Json) -> None:
    lines = [{"concept": "Licencia", "tax": 10}, {"concept": "Alta"}]

    queued = await started(acme.live, onboarding, **FITTING, address={}, lines=lines)

    assert queued["input"] == {
        **FITTING, "plan": "basic", "seats": 1, "address": {"country": "ES"},
        "lines": [{"concept": "Licencia", "tax": 10}, {"concept": "Alta", "tax": 21}],
    }  # fmt: skip


@pytest.mark.usefixtures("worker")
async def test_steps_see_the_input_with_its_defaults(acme: Organization) -> None:
    schema = {"properties": {"name": {"type": "string", "default": "quien seas"}}}
    made = await workflow(acme.live, GREETING, input_schema=schema)

    assert (await run(acme.live, made))["output"] == {"text": "Hola quien seas"}


async def test_a_stricter_schema_counts_from_the_next_run_on(acme: Organization, onboarding: Json) -> None:
    await started(acme.live, onboarding, **FITTING)
    await acme.live.call(
        "/v1/workflows/update", {"id": onboarding["id"], "input_schema": {"required": ["nif"], "type": "object"}}
    )

    reply = await acme.live.post(EXECUTE, {"workflow_id": onboarding["id"], "input": FITTING})

    assert problems(reply) == [("input.nif", "required")]
    await acme.live.call("/v1/workflows/update", {"id": onboarding["id"], "input_schema": None})
    assert code_of(await acme.live.post(EXECUTE, {"workflow_id": onboarding["id"], "input": {}})) == (200, None)


def nested(levels: int) -> Json:
    schema: Json = {"type": "string"}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], ("input_schema", "object")),
        ({"type": "string"}, ("input_schema.type", "one_of")),
        ({"type": ["object", "null"]}, ("input_schema.type", "one_of")),
        ({"requried": ["a"]}, ("input_schema.requried", "unknown_field")),
        ({"$id": "https://example.com/a"}, ("input_schema.$id", "unknown_field")),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, ("input_schema.$schema", "one_of")),
        ({"properties": {"a": {"type": "strin"}}}, ("input_schema.properties.a.type", "one_of")),
        ({"properties": {"a": {"type": []}}}, ("input_schema.properties.a.type", "one_of")),
        ({"properties": {"a": 3}}, ("input_schema.properties.a", "schema")),
        ({"properties": []}, ("input_schema.properties", "object")),
        ({"properties": {"a": {"minLength": -1}}}, ("input_schema.properties.a.minLength", "integer")),
        ({"properties": {"a": {"minimum": "1"}}}, ("input_schema.properties.a.minimum", "number")),
        ({"properties": {"a": {"multipleOf": 0}}}, ("input_schema.properties.a.multipleOf", "minimum")),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, ("input_schema.properties.a.pattern", "pattern")),
        ({"properties": {"a": {"pattern": "((a{100}){100}){100}"}}}, ("input_schema.properties.a.pattern", "pattern")),
        ({"properties": {"a": {"pattern": "("}}}, ("input_schema.properties.a.pattern", "pattern")),
        ({"patternProperties": {"(": True}}, ("input_schema.patternProperties.(", "pattern")),
        ({"properties": {"a": {"format": "regex"}}}, ("input_schema.properties.a.format", "one_of")),
        ({"properties": {"a": {"enum": []}}}, ("input_schema.properties.a.enum", "array")),
        ({"required": ["a", "a"]}, ("input_schema.required", "array")),
        ({"properties": {"a": {"anyOf": []}}}, ("input_schema.properties.a.anyOf", "array")),
        ({"properties": {"a": {"anyOf": [{}, {"type": 1}]}}}, ("input_schema.properties.a.anyOf[1].type", "one_of")),
        ({"properties": {"a": {"$ref": "https://example.com/b"}}}, ("input_schema.properties.a.$ref", "reference")),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, ("input_schema.properties.a.$ref", "reference")),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, ("input_schema.properties.a.$ref", "reference")),
        ({"$ref": "#"}, ("input_schema.$ref", "reference")),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, ("input_schema.$defs.a", "reference")),
        ({"properties": {"a": {"$defs": {}}}}, ("input_schema.properties.a.$defs", "unknown_field")),
        ({"properties": {"a": {"type": "integer", "default": "x"}}}, ("input_schema.properties.a.default", "integer")),
        ({"title": 3}, ("input_schema.title", "string")),
        ({"description": "x" * 4001}, ("input_schema.description", "string")),
        ({"x-mine": "x" * 33_000}, ("input_schema", "max_length")),
        ({"properties": {f"p{n}": True for n in range(501)}}, ("input_schema", "max_items")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
async def test_a_broken_schema_is_refused_where_it_is_broken(
    acme: Organization, schema: Any, problem: tuple[str, str]
) -> None:
    reply = await acme.live.post(CREATE, {"name": "Mal", "steps": [HELLO], "input_schema": schema})

    assert problems(reply) == [problem]


async def test_a_schema_that_nests_too_deep(acme: Organization) -> None:
    assert (await workflow(acme.live, HELLO, input_schema=nested(20)))["version"] == 1

    reply = await acme.live.post(CREATE, {"name": "Mal", "steps": [HELLO], "input_schema": nested(21)})

    assert problems(reply) == [(f"input_schema{'.properties.a' * 21}"[:200], "max_depth")]


async def test_definitions_that_lead_in_a_circle(acme: Organization) -> None:
    schema = {
        "$defs": {
            "a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/b"}]},
            "b": {"not": {"$ref": "#/$defs/a"}},
            "tree": {"properties": {"children": {"items": {"$ref": "#/$defs/tree"}}}},
        }
    }

    reply = await acme.live.post(CREATE, {"name": "Mal", "steps": [HELLO], "input_schema": schema})

    assert problems(reply) == [("input_schema.$defs.a", "reference"), ("input_schema.$defs.b", "reference")]


async def test_a_tree_of_any_size(acme: Organization) -> None:
    tree = {"type": "object", "properties": {"name": {"type": "string"}, "team": {"items": {"$ref": "#/$defs/unit"}}}}
    made = await workflow(
        acme.live, HELLO, input_schema={"properties": {"unit": {"$ref": "#/$defs/unit"}}, "$defs": {"unit": tree}}
    )
    unit = {"name": "a", "team": [{"name": "b", "team": [{"name": 3}]}]}

    reply = await acme.live.post(EXECUTE, {"workflow_id": made["id"], "input": {"unit": unit}})

    assert problems(reply) == [("input.unit.team[0].team[0].name", "string")]


async def test_the_whole_schema_is_judged_together_with_the_steps(acme: Organization) -> None:
    data = {"name": "Mal", "steps": [{"id": "a", "uses": "contacts.fly"}], "input_schema": {"type": "array"}}

    reply = await acme.live.post(CREATE, data)

    assert problems(reply) == [("input_schema.type", "one_of"), ("steps[0].uses", "operation")]
