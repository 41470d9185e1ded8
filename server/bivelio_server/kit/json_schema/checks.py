"""What each keyword asks of a value."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.json_schema.formats import FORMATS
from bivelio_server.kit.json_schema.limits import Budget
from bivelio_server.kit.json_schema.nodes import Check, Node, Nodes, Problems, Schema
from bivelio_server.kit.json_schema.patterns import is_found
from bivelio_server.kit.json_schema.texts import TYPE_NAMES, problem
from bivelio_server.kit.json_schema.values import TYPES, fingerprint, is_multiple, is_number

_SHOWN: Final = 300
_NO_LIMIT: Final = 1_000_000


def fill(nodes: Nodes, node: Node, schema: Schema) -> None:
    """Give the node the checks of its schema, which must have no problems."""
    if schema is False:
        node.checks.append(_nothing)
    if isinstance(schema, bool):
        return
    if "type" in schema:
        node.of_type.append(_type(schema["type"]))
    node.checks += [make(schema[keyword]) for keyword, make in _SIMPLE.items() if keyword in schema]
    for keywords, build in _COMBINED:
        if any(keyword in schema for keyword in keywords):
            node.checks.append(build(schema, nodes))


def _nothing(_value: Any, path: str, _budget: Budget) -> Problems:
    yield problem(path, "excluded")


def _type(names: str | list[str]) -> Check:
    allowed = [names] if isinstance(names, str) else names
    told = [TYPE_NAMES[name] for name in allowed]
    expected = {"expected_es": " o ".join(name.es for name in told), "expected_en": " or ".join(n.en for n in told)}
    constraint = allowed[0] if len(allowed) == 1 else "type"

    def check(value: Any, path: str, budget: Budget) -> Problems:
        budget.spend(1)
        if not any(TYPES[name](value) for name in allowed):
            yield problem(path, "type", told_as=constraint, **expected)

    return check


def _enum(options: list[Any]) -> Check:
    allowed = {fingerprint(option, Budget(_NO_LIMIT)) for option in options}
    shown = ", ".join(json.dumps(option).decode() for option in options)
    expected = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if fingerprint(value, budget) not in allowed:
            yield problem(path, "one_of", expected=expected)

    return check


def _measured(
    kind: type, measure: Callable[[Any], Any], fits: Callable[[Any, Any], bool], constraint: str
) -> Callable[[Any], Check]:
    """Of values of one type: that a measure of them fits a limit."""

    def make(limit: Any) -> Check:
        def check(value: Any, path: str, budget: Budget) -> Problems:
            budget.spend(1)
            if isinstance(value, kind) and not fits(measure(value), limit):
                yield problem(path, constraint, limit=limit)

        return check

    return make


def _numeric(fits: Callable[[Any, Any], bool], constraint: str) -> Callable[[Any], Check]:
    def make(limit: Any) -> Check:
        def check(value: Any, path: str, budget: Budget) -> Problems:
            budget.spend(2)
            if is_number(value) and not fits(value, limit):
                yield problem(path, constraint, limit=json.dumps(limit).decode())

        return check

    return make


def _pattern(source: str) -> Check:
    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, str) and not is_found(source, value, budget):
            yield problem(path, "pattern", limit=source)

    return check


def _format(name: str) -> Check:
    form = FORMATS[name]

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, str):
            budget.spend(form.cost)
            if not form.accepts(value):
                text = form.text
                yield problem(path, "format", told_as=name, expected_es=text.es, expected_en=text.en)

    return check


def _unique(asked: bool) -> Check:
    def check(value: Any, path: str, budget: Budget) -> Problems:
        if asked and isinstance(value, list):
            members = [fingerprint(member, budget) for member in value]
            if len(set(members)) < len(members):
                yield problem(path, "unique")

    return check


def _required(names: list[str]) -> Check:
    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, dict):
            budget.spend(1 + len(names) // 4)
            for name in names:
                if name not in value:
                    yield problem(f"{path}.{name}", "required")

    return check


def _dependent_required(dependencies: Mapping[str, list[str]]) -> Check:
    by_name = {name: _required(needed) for name, needed in dependencies.items()}

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, dict):
            budget.spend(len(by_name))
            for name, needed in by_name.items():
                if name in value:
                    yield from needed(value, path, budget)

    return check


_SIMPLE: Final[Mapping[str, Callable[[Any], Check]]] = {
    "enum": _enum,
    "const": lambda value: _enum([value]),
    "minLength": _measured(str, len, lambda length, least: length >= least, "min_length"),
    "maxLength": _measured(str, len, lambda length, most: length <= most, "max_length"),
    "pattern": _pattern,
    "format": _format,
    "minimum": _numeric(lambda value, least: value >= least, "minimum"),
    "maximum": _numeric(lambda value, most: value <= most, "maximum"),
    "exclusiveMinimum": _numeric(lambda value, bound: value > bound, "exclusive_minimum"),
    "exclusiveMaximum": _numeric(lambda value, bound: value < bound, "exclusive_maximum"),
    "multipleOf": _numeric(is_multiple, "multiple_of"),
    "minItems": _measured(list, len, lambda length, least: length >= least, "min_items"),
    "maxItems": _measured(list, len, lambda length, most: length <= most, "max_items"),
    "uniqueItems": _unique,
    "required": _required,
    "minProperties": _measured(dict, len, lambda length, least: length >= least, "min_properties"),
    "maxProperties": _measured(dict, len, lambda length, most: length <= most, "max_properties"),
    "dependentRequired": _dependent_required,
}


def _members(schema: dict[str, Any], nodes: Nodes) -> Check:
    """`properties`, `patternProperties` and `additionalProperties`: every member of an object."""
    named = {name: nodes.of(member) for name, member in schema.get("properties", {}).items()}
    matching = [(source, nodes.of(member)) for source, member in schema.get("patternProperties", {}).items()]
    others = schema.get("additionalProperties", True)
    other = None if isinstance(others, bool) else nodes.of(others)

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if not isinstance(value, dict):
            return
        for name, member in value.items():
            budget.spend(1)
            here = f"{path}.{name}"
            asked = [node for source, node in matching if is_found(source, name, budget)]
            if name in named:
                asked.append(named[name])
            if not asked and others is False:
                yield problem(here, "unknown_field")
            for node in asked or ([other] if other else []):
                yield from node.problems(member, here, budget)

    return check


def _items(schema: dict[str, Any], nodes: Nodes) -> Check:
    """`prefixItems` and `items`: every item of a list."""
    first = [nodes.of(member) for member in schema.get("prefixItems", [])]
    rest = nodes.of(schema.get("items", True))

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, list):
            for position, item in enumerate(value):
                node = first[position] if position < len(first) else rest
                yield from node.problems(item, f"{path}[{position}]", budget)

    return check


def _contains(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked, least = nodes.of(schema["contains"]), schema.get("minContains", 1)
    most = schema.get("maxContains", _NO_LIMIT)

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if isinstance(value, list):
            count = sum(1 for item in value if asked.accepts(item, budget))
            if not least <= count <= most:
                yield problem(path, "contains", least=least, most=most)

    return check


def _names(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked = nodes.of(schema["propertyNames"])

    def check(value: Any, path: str, budget: Budget) -> Problems:
        for name in value if isinstance(value, dict) else ():
            if not asked.accepts(name, budget):
                yield problem(f"{path}.{name}", "property_name")

    return check


def _dependent(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked = {name: nodes.of(member) for name, member in schema["dependentSchemas"].items()}

    def check(value: Any, path: str, budget: Budget) -> Problems:
        for name, node in asked.items() if isinstance(value, dict) else ():
            budget.spend(1)
            if name in value:
                yield from node.problems(value, path, budget)

    return check


def _all(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked = [nodes.of(member) for member in schema["allOf"]]

    def check(value: Any, path: str, budget: Budget) -> Problems:
        for node in asked:
            yield from node.problems(value, path, budget)

    return check


def _any(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked = [nodes.of(member) for member in schema["anyOf"]]

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if not any(node.accepts(value, budget) for node in asked):
            yield problem(path, "any_of")

    return check


def _one(schema: dict[str, Any], nodes: Nodes) -> Check:
    asked = [nodes.of(member) for member in schema["oneOf"]]

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if sum(1 for node in asked if node.accepts(value, budget)) != 1:
            yield problem(path, "exactly_one_of", told_as="one_of")

    return check


def _not(schema: dict[str, Any], nodes: Nodes) -> Check:
    excluded = nodes.of(schema["not"])

    def check(value: Any, path: str, budget: Budget) -> Problems:
        if excluded.accepts(value, budget):
            yield problem(path, "not")

    return check


def _if(schema: dict[str, Any], nodes: Nodes) -> Check:
    condition = nodes.of(schema["if"])
    then, otherwise = nodes.of(schema.get("then", True)), nodes.of(schema.get("else", True))

    def check(value: Any, path: str, budget: Budget) -> Problems:
        taken = then if condition.accepts(value, budget) else otherwise
        yield from taken.problems(value, path, budget)

    return check


def _reference(schema: dict[str, Any], nodes: Nodes) -> Check:
    reference = schema["$ref"]

    def check(value: Any, path: str, budget: Budget) -> Problems:
        yield from nodes.named(reference).problems(value, path, budget)

    return check


_COMBINED: Final[tuple[tuple[tuple[str, ...], Callable[[dict[str, Any], Nodes], Check]], ...]] = (
    (("$ref",), _reference),
    (("properties", "patternProperties", "additionalProperties"), _members),
    (("prefixItems", "items"), _items),
    (("contains",), _contains),
    (("propertyNames",), _names),
    (("dependentSchemas",), _dependent),
    (("allOf",), _all),
    (("anyOf",), _any),
    (("oneOf",), _one),
    (("not",), _not),
    (("if",), _if),
)
