"""What our checker of input schemas takes and refuses, a whole JSON Schema validator takes and refuses too."""

from decimal import Decimal
from typing import Any

import jsonschema_rs
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bivelio_server.kit.errors import ValidationFailed
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.input_schema import check_input

NAMES = st.sampled_from(["a", "b", "c", "name with space", "ñ"])
NUMBERS = st.one_of(
    st.integers(-5, 5), st.sampled_from([Decimal("0.5"), Decimal("1.0"), Decimal("2.50"), Decimal("-0.1"), 10**18])
)
TEXTS = st.sampled_from(["", "a", "ab", "abc", "ñandú", "12", "a\nb", "😀"])
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=8,
)
COUNTS = st.integers(0, 4)
TYPES = st.sampled_from(["string", "number", "integer", "boolean", "object", "array", "null"])
PATTERNS = st.sampled_from(["^a", "b$", "^[0-9]+$", "a.b", "ñ", "x*"])
KEYWORDS: dict[str, st.SearchStrategy[Any]] = {
    "type": st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    "enum": st.lists(VALUES, min_size=1, max_size=4),
    "const": VALUES,
    "minLength": COUNTS,
    "maxLength": COUNTS,
    "pattern": PATTERNS,
    "minimum": NUMBERS,
    "maximum": NUMBERS,
    "exclusiveMinimum": NUMBERS,
    "exclusiveMaximum": NUMBERS,
    "multipleOf": st.sampled_from([1, 2, 3, Decimal("0.5"), Decimal("0.1")]),
    "minItems": COUNTS,
    "maxItems": COUNTS,
    "uniqueItems": st.booleans(),
    "required": st.lists(NAMES, max_size=3, unique=True),
    "minProperties": COUNTS,
    "maxProperties": COUNTS,
    "dependentRequired": st.dictionaries(NAMES, st.lists(NAMES, max_size=2, unique=True), max_size=2),
}


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Schemas whose parts are `inner`."""
    several = st.lists(inner, min_size=1, max_size=3)
    holders: dict[str, st.SearchStrategy[Any]] = {
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
        "additionalProperties": inner,
        "propertyNames": inner,
        "items": inner,
        "prefixItems": several,
        "contains": inner,
        "allOf": several,
        "anyOf": several,
        "oneOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "dependentSchemas": st.dictionaries(NAMES, inner, max_size=2),
        "$ref": st.sampled_from(["#/$defs/one", "#/$defs/two"]),
    }
    counts = {"minContains": st.integers(0, 2), "maxContains": st.integers(0, 3)}
    return some_of({**KEYWORDS, **holders, **counts})


def some_of(keywords: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A few of them: schemas that say everything accept nothing."""
    names = st.lists(st.sampled_from(sorted(keywords)), max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: keywords[name] for name in chosen}))


LEAVES = st.booleans() | some_of(KEYWORDS)
SCHEMAS = st.recursive(LEAVES, objects, max_leaves=5)
#: Without references, which could lead in a circle.
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.dictionaries(st.sampled_from(["not", "items", "additionalProperties"]), inner, max_size=2),
    max_leaves=3,
)


@given(schema=SCHEMAS, one=PLAIN, two=PLAIN, value=VALUES)
@settings(max_examples=500, deadline=None)
@example({"multipleOf": Decimal("0.01")}, True, True, Decimal("19.99"))
@example({"uniqueItems": True}, True, True, [1, True, Decimal("1.0")])
@example({"enum": [Decimal("1.0")]}, True, True, 1)
@example({"const": {"a": 1, "b": [0]}}, True, True, {"b": [False], "a": 1})
def test_both_say_the_same(schema: Any, one: Any, two: Any, value: Any) -> None:
    whole = {"properties": {"x": schema}, "$defs": {"one": one, "two": two}}
    assume(schema_problems(whole) == [])

    assert ours(whole, {"x": value}) is theirs(whole, {"x": value})


@given(schema=SCHEMAS, one=PLAIN, two=PLAIN)
@settings(max_examples=100, deadline=None)
def test_a_schema_without_problems_is_one_for_the_other_too(schema: Any, one: Any, two: Any) -> None:
    whole = {"properties": {"x": schema}, "$defs": {"one": one, "two": two}}
    assume(schema_problems(whole) == [])

    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **whole})


def ours(schema: Any, value: Any) -> bool:
    try:
        check_input(Definition.model_construct(input_schema=schema), value)
    except ValidationFailed:
        return False
    return True


def theirs(schema: Any, value: Any) -> bool:
    return jsonschema_rs.Draft202012Validator(schema, offline=True).is_valid(value)
