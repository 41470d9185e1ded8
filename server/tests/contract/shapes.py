"""Whether an answer has the shape of a printed one."""

import re
from typing import Any, Final

_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_PREFIXED_ID: Final = re.compile(r"([a-z]+_)[0-9a-z_]+")


def differences(printed: Any, actual: Any, nullable: frozenset[str] = frozenset(), at: str = "") -> list[str]:
    """What the printed value promises and the actual one breaks: every printed field, with the printed JSON type,
    timestamps and ids in the printed format. More fields are welcome; a field in `nullable` may be null."""
    name = at.rpartition(".")[2]
    if actual is None and name in nullable:
        return []
    if _kind(printed) != _kind(actual):
        return [f"{at}: {_kind(printed)} is printed, not {actual!r}"]
    if isinstance(printed, dict):
        return _object_differences(printed, actual, nullable, at)
    if isinstance(printed, list):
        return _list_differences(printed, actual, nullable, at)
    if isinstance(printed, str) and not _same_format(name, printed, actual):
        return [f"{at}: {printed!r} is printed, not {actual!r}"]
    return []


def _object_differences(printed: dict[str, Any], actual: Any, nullable: frozenset[str], at: str) -> list[str]:
    missing = [f"{at}.{name} is missing" for name in printed if name not in actual]
    return missing + [
        difference
        for name, value in printed.items()
        if name in actual
        for difference in differences(value, actual[name], nullable, f"{at}.{name}")
    ]


def _list_differences(printed: list[Any], actual: Any, nullable: frozenset[str], at: str) -> list[str]:
    if printed and not actual:
        return [f"{at} is empty"]
    return [
        difference for value in printed[:1] for item in actual for difference in differences(value, item, nullable, at)
    ]


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object", type(None): "null"}[type(value)]


def _same_format(name: str, printed: str, actual: str) -> bool:
    for pattern in (_TIMESTAMP, _DATE):
        if pattern.fullmatch(printed):
            return pattern.fullmatch(actual) is not None
    prefixed = _PREFIXED_ID.fullmatch(printed)
    if prefixed and (name == "id" or name.endswith("_id")):
        return actual.startswith(prefixed[1])
    return True
