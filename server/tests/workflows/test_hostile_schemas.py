"""Whatever a schema and an input are, checking one by the other ends soon."""

import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest

from bivelio_server.kit.errors import ValidationFailed
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.kit.json_schema.limits import MAX_SUBSCHEMAS
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.input_schema import check_input

#: Ten times what it takes on a quiet machine.
SECONDS = 1.0
MANY = MAX_SUBSCHEMAS // 2 - 1
NUMBERS = [0] * 32_000
LETTERS = "a" * 65_000


def twice(keyword: str, levels: int) -> dict[str, Any]:
    """Definitions each of which asks for the next one twice: 2^levels in all."""
    definitions: dict[str, Any] = {"d0": {"type": "string"}}
    for level in range(1, levels + 1):
        below = {"$ref": f"#/$defs/d{level - 1}"}
        definitions[f"d{level}"] = {keyword: [below, below]}
    return {"properties": {"x": {"$ref": f"#/$defs/d{levels}"}}, "$defs": definitions}


def within(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = {"a": value}
    return value


def of(schema: Any) -> dict[str, Any]:
    return {"properties": {"x": schema}}


BRANCHES = {
    "anyOf": [
        {"properties": {"a": {"$ref": "#/$defs/tree"}}, "not": {"required": ["a"]}},
        {"properties": {"a": {"$ref": "#/$defs/tree"}}},
    ]
}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (twice("allOf", 120), "x"),
        (twice("anyOf", 18), 1),
        ({**of({"$ref": "#/$defs/tree"}), "$defs": {"tree": BRANCHES}}, within(60)),
        (of({"allOf": [{"items": {"minimum": 0}}] * MANY}), NUMBERS),
        (of({"anyOf": [{"items": {"type": "number"}, "maxItems": 1}] * MANY}), NUMBERS),
        (of({"oneOf": [{"items": {"type": "number"}}] * MANY}), NUMBERS),
        (of({"allOf": [{"contains": {"const": 1}}] * MANY}), NUMBERS),
        (of({"items": {"anyOf": [{"type": "string"}] * MANY}}), NUMBERS),
        (of({"allOf": [{"uniqueItems": True}] * MANY}), list(range(11_000))),
        (of({"uniqueItems": True}), [number * (2**61 - 1) for number in range(1, 3000)]),
        (of({"items": {"enum": [f"v{number}" for number in range(3000)]}}), ["zz"] * 13_000),
        (of({"items": {"required": [f"r{number}" for number in range(3000)]}}), [{}] * 16_000),
        (of({"items": {"properties": {"a": {"default": "x" * 30_000}}}}), [{}] * 16_000),
        (of({"items": {"multipleOf": Decimal("3e-60")}}), [Decimal("9.9e59")] * 12_000),
        (of({"items": {"format": "email"}}), [f"ñ{number}@é{number}.es" for number in range(2500)]),
        (of({"items": {"format": "phone"}}), [f"+34 6{number:08}" for number in range(3500)]),
        (of({"allOf": [{"pattern": "(a?){30}a{30}b"}] * 20}), LETTERS),
        (of({"allOf": [{"pattern": f"(.*a){{{times}}}b"} for times in range(5, 25)]}), LETTERS),
        (of({"allOf": [{"pattern": f"(a|b)*a(a|b){{{times}}}c"} for times in range(5, 25)]}), LETTERS),
        (of({"patternProperties": {f"^(\\pL|x{{1,{times}}})y": True for times in range(1, 40)}}), {"k" * 60_000: 0}),
        (of({"propertyNames": {"pattern": "^x.*y.*z$"}}), {f"k{number}": 0 for number in range(6000)}),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_it_ends_soon(schema: dict[str, Any], value: Any) -> None:
    began = time.process_time()
    saved = schema_problems(schema)
    with suppress(ValidationFailed):
        check_input(Definition.model_construct(input_schema=schema), {"x": value})
    took = time.process_time() - began

    assert saved == []
    assert took < SECONDS


def test_what_takes_too_much_says_so() -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_input(Definition.model_construct(input_schema=twice("allOf", 120)), {"x": "x"})

    assert [(problem.field, problem.constraint) for problem in refused.value.problems] == [("input", "max_complexity")]


def test_too_many_patterns_are_refused_before_they_are_compiled() -> None:
    began = time.process_time()
    found = schema_problems(of({"allOf": [{"pattern": f"(\\pL{{1,9}}){{1,{n}}}"} for n in range(51)]}))

    assert [(problem.field, problem.constraint) for problem in found] == [("input_schema", "max_items")]
    assert time.process_time() - began < SECONDS


def test_an_ordinary_input_of_the_largest_size_fits() -> None:
    line = {
        "type": "object",
        "required": ["concept", "quantity"],
        "additionalProperties": False,
        "properties": {
            "concept": {"type": "string", "minLength": 1, "maxLength": 100},
            "quantity": {"type": "integer", "minimum": 1},
            "price": {"type": "number", "minimum": 0, "multipleOf": Decimal("0.01")},
        },
    }
    lines = [
        {"concept": f"concepto {number}", "quantity": number, "price": Decimal("10.25")} for number in range(1, 1200)
    ]

    given = {"lines": lines}

    schema = {"properties": {"lines": {"type": "array", "items": line}}}
    assert check_input(Definition.model_construct(input_schema=schema), given) == given
