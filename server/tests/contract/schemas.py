"""What one JSON schema breaks of an earlier one: as input, what it no longer takes; as output, what it newly gives."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

Direction: TypeAlias = Literal["input", "output"]
_NULL: Final = {"type": "null"}
_INFINITE: Final = float("inf")
#: Limits, and what holds without them.
_UPPER: Final = dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), _INFINITE)
_LOWER: Final = {
    "minimum": -_INFINITE,
    "exclusiveMinimum": -_INFINITE,
    "minLength": 0,
    "minItems": 0,
    "minProperties": 0,
}
_EXACT: Final = ("pattern", "format", "multipleOf", "uniqueItems")


def breaks_of_schema(
    old_document: Mapping[str, Any],
    new_document: Mapping[str, Any],
    old: Any,
    new: Any,
    direction: Direction,
    at: str,
) -> Iterator[str]:
    """Each break in words; `at` names the place of the schema."""
    yield from _Comparison(old_document, new_document, direction).schema(old, new, at)


class _Comparison:
    def __init__(self, old: Mapping[str, Any], new: Mapping[str, Any], direction: Direction) -> None:
        self._old = old
        self._new = new
        self._is_input = direction == "input"
        self._under_way: set[tuple[int, int]] = set()

    def schema(self, old: Any, new: Any, at: str) -> Iterator[str]:
        yield from self._variants(_variants(self._old, old), _variants(self._new, new), at)

    def _variants(self, old: list[Any], new: list[Any], at: str) -> Iterator[str]:
        """Every kind of value that was taken must be taken, every kind that is given must have been given."""
        promised, offered = (old, new) if self._is_input else (new, old)
        # Who reads a union looks which branch it is, and may meet one more.
        is_open = not self._is_input and len([one for one in old if one != _NULL]) > 1
        for variant in promised:
            others = _counterparts(variant, offered)
            tried = [self._tried(variant, other, at) for other in others]
            if is_open and variant != _NULL and not _has_namesake(variant, others):
                continue
            if not tried:
                yield self._new_kind(variant, at)
            elif all(tried):
                yield from min(tried, key=len)

    def _tried(self, promised: Any, offered: Any, at: str) -> list[str]:
        """Schemas that contain themselves are compared once."""
        pair = (id(promised), id(offered))
        if pair in self._under_way:
            return []
        self._under_way.add(pair)
        old, new = (promised, offered) if self._is_input else (offered, promised)
        found = list(self._one(old, new, at))
        self._under_way.remove(pair)
        return found

    def _new_kind(self, variant: Any, at: str) -> str:
        return f"{at} no longer takes {_kind(variant)}" if self._is_input else f"{at} may now be {_kind(variant)}"

    def _one(self, old: Any, new: Any, at: str) -> Iterator[str]:
        promised, offered = (_kind(old), _kind(new)) if self._is_input else (_kind(new), _kind(old))
        if promised != offered and offered != "any value" and (promised, offered) != ("integer", "number"):
            yield f"{at} is {_kind(new)} now, not {_kind(old)}"
        yield from self._values(old, new, at)
        if self._is_input:
            yield from _limits(old, new, at)
        elif old.get("format") != new.get("format"):
            yield f"{at} has the format {new.get('format')}, not {old.get('format')}"
        if "items" in old:
            yield from self.schema(old["items"], new.get("items", {}), f"{at}[]")
        yield from self._fields(old, new, at)

    def _values(self, old: Any, new: Any, at: str) -> Iterator[str]:
        before, after = _enumeration(old), _enumeration(new)
        if self._is_input and after is not None:
            if before is None:
                yield f"{at} takes only some values now"
            else:
                for value in (one for one in before if one not in after):
                    yield f"{at} no longer takes {value!r}"
        if not self._is_input and before is not None and after is None:
            yield f"{at} may now have any value"

    def _fields(self, old: Any, new: Any, at: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            place = f"{at}.{name}"
            if name not in after:
                yield f"{place} is gone"
            else:
                yield from self.schema(schema, after[name], place)
        yield from self._required(set(old.get("required", [])), set(new.get("required", [])), before, at)
        yield from self._others(old.get("additionalProperties", True), new.get("additionalProperties", True), at)

    def _required(self, before: set[str], after: set[str], known: Mapping[str, Any], at: str) -> Iterator[str]:
        if self._is_input:
            yield from (f"{at}.{name} is required now" for name in sorted(after - before))
        else:
            yield from (f"{at}.{name} may now be absent" for name in sorted((before - after) & known.keys()))

    def _others(self, before: Any, after: Any, at: str) -> Iterator[str]:
        """Members without a name of their own, as those of `custom_fields`."""
        if isinstance(before, dict) and isinstance(after, dict):
            yield from self.schema(before, after, f"{at}.*")
        elif self._is_input and before is not False and after is False:
            yield f"{at} takes no other members now"


def _variants(document: Mapping[str, Any], schema: Any) -> list[Any]:
    """The kinds of value of a schema, each without unions and references."""
    if schema is True or schema == {}:
        return [{}]
    if "$ref" in schema:
        named = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return _variants(document, named)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            return [variant for one in schema[union] for variant in _variants(document, one)]
    if isinstance(schema.get("type"), list):
        return [_NULL if name == "null" else {**schema, "type": name} for name in schema["type"]]
    return [schema]


def _same_kind(one: Any, other: Any) -> bool:
    """Anything may be a value without a type; an integer is a number."""
    kinds = {_kind(one), _kind(other)}
    return len(kinds) == 1 or "any value" in kinds or kinds == {"integer", "number"}


def _counterparts(variant: Any, others: list[Any]) -> list[Any]:
    """Those of the same kind; if one of them has the same name, it alone."""
    alike = [other for other in others if _same_kind(variant, other)]
    return [other for other in alike if _has_namesake(variant, [other])] or alike


def _has_namesake(variant: Any, others: list[Any]) -> bool:
    return any(other.get("title") == variant.get("title") for other in others)


def _kind(schema: Any) -> str:
    if "type" in schema:
        return str(schema["type"])
    values = _enumeration(schema)
    if not values:
        return "any value"
    names = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    return names.get(type(values[0]), "any value")


def _enumeration(schema: Any) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _limits(old: Any, new: Any, at: str) -> Iterator[str]:
    for name, unlimited in _UPPER.items():
        if new.get(name, unlimited) < old.get(name, unlimited):
            yield f"{at}: {name} is {new[name]} now"
    for name, unlimited in _LOWER.items():
        if new.get(name, unlimited) > old.get(name, unlimited):
            yield f"{at}: {name} is {new[name]} now"
    for name in _EXACT:
        if name in new and new[name] != old.get(name):
            yield f"{at}: {name} is {new[name]} now"
    if "default" in old and "default" in new and old["default"] != new["default"]:
        yield f"{at} is {new['default']!r} when left out, not {old['default']!r}"
