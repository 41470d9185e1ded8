"""What a contract breaks of an earlier one, for callers who rely on it.

Callers may be sent more than before (fields, values of an enumeration, branches of a union, error codes) and may send
less. Anything else is a break, unless the new contract declares a change of its operation or event with a version that
the earlier contract did not have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from tests.contract.schemas import Direction, breaks_of_schema

Document: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = list[dict[str, Any]]
_WIDTH: Final = {"read": 1, "write": 2, "admin": 3}


@dataclass(frozen=True, order=True)
class Break:
    """`subject` is an operation's or an event's name."""

    subject: str
    what: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.what}"


def undeclared_breaks(old: Document, new: Document, old_rows: Rows, new_rows: Rows) -> list[Break]:
    """`old` and `new` are OpenAPI documents, the rows those of `operations.json`."""
    declared = _declared(old, new)
    found = {*_of_operations(old, new), *_of_events(old, new), *_of_rows(old_rows, new_rows)}
    return sorted(one for one in found if one.subject not in declared)


def _declared(old: Document, new: Document) -> set[str]:
    """The operations and events whose break comes with a version that is new."""
    known = {version["version"] for version in old["info"].get("x-api-versions", [])}
    added = [change for change in new["info"].get("x-api-changes", []) if change["version"] not in known]
    return {name for change in added for name in (change["operation"], *change["events"]) if name}


def _of_operations(old: Document, new: Document) -> Iterator[Break]:
    before, after = _endpoints(old), _endpoints(new)
    for name, (path, endpoint) in before.items():
        if name not in after or after[name][0] != path:
            yield Break(name, f"{path} is gone")
            continue
        now = after[name][1]
        for what in (
            *_of_parameters(old, new, endpoint, now, "input"),
            *_of_body(old, new, endpoint, now, "input"),
            *_of_reply(old, new, _success(endpoint), _success(now)),
            *_of_errors(endpoint, now),
        ):
            yield Break(name, what)


def _of_events(old: Document, new: Document) -> Iterator[Break]:
    for name, message in old.get("webhooks", {}).items():
        if name not in new.get("webhooks", {}):
            yield Break(name, "the event is gone")
            continue
        before, after = message["post"], new["webhooks"][name]["post"]
        for what in (
            *_of_parameters(old, new, before, after, "output"),
            *_of_body(old, new, before, after, "output"),
        ):
            yield Break(name, what)


def _endpoints(document: Document) -> dict[str, tuple[str, Any]]:
    return {
        endpoint["operationId"]: (f"{method.upper()} {path}", endpoint)
        for path, methods in document["paths"].items()
        for method, endpoint in methods.items()
    }


def _of_parameters(old: Document, new: Document, before: Any, after: Any, direction: Direction) -> Iterator[str]:
    ours, theirs = _parameters(old, before), _parameters(new, after)
    for where, parameter in ours.items():
        if where not in theirs:
            yield f"{where} is gone"
        else:
            yield from breaks_of_schema(old, new, parameter["schema"], theirs[where]["schema"], direction, where)
    for where, parameter in theirs.items():
        was_required = where in ours and ours[where].get("required", False)
        if direction == "input" and parameter.get("required", False) and not was_required:
            yield f"{where} is required now"


def _parameters(document: Document, endpoint: Any) -> dict[str, Any]:
    found = [_resolved(document, parameter) for parameter in endpoint.get("parameters", [])]
    return {f"{parameter['in']} {parameter['name']}": parameter for parameter in found}


def _resolved(document: Document, parameter: Any) -> Any:
    name = parameter.get("$ref", "").rpartition("/")[2]
    return document["components"]["parameters"][name] if name else parameter


def _of_body(old: Document, new: Document, before: Any, after: Any, direction: Direction) -> Iterator[str]:
    was, is_now = before.get("requestBody", {}), after.get("requestBody", {})
    if direction == "input" and is_now.get("required", False) and not was.get("required", False):
        yield "the body is required now"
    for media_type, content in was.get("content", {}).items():
        if media_type not in is_now.get("content", {}):
            yield f"{media_type} is no longer taken"
        else:
            now = is_now["content"][media_type]["schema"]
            yield from breaks_of_schema(old, new, content["schema"], now, direction, "body")


def _of_reply(old: Document, new: Document, before: Any, after: Any) -> Iterator[str]:
    for header in before.get("headers", {}):
        if header not in after.get("headers", {}):
            yield f"header {header} is gone from the reply"
    for media_type, content in before.get("content", {}).items():
        if media_type not in after.get("content", {}):
            yield f"{media_type} is no longer the reply's"
        else:
            now = _shape(after["content"][media_type])
            yield from breaks_of_schema(old, new, _shape(content), now, "output", "reply")


def _success(endpoint: Any) -> Any:
    return endpoint["responses"].get("200", {})


def _of_errors(before: Any, after: Any) -> Iterator[str]:
    """The codes of a status are its description."""
    for status in sorted(before["responses"].keys() - {"200"}):
        ours = set(before["responses"][status]["description"].split(", "))
        theirs = set(after["responses"].get(status, {}).get("description", "").split(", "))
        for code in sorted(ours - theirs):
            yield f"error {status} {code} is gone"


def _of_rows(old: Rows, new: Rows) -> Iterator[Break]:
    after = {row["name"]: row for row in new}
    for before in old:
        name = before["name"]
        now = after.get(name)
        if now is None:
            yield Break(name, "the operation is gone")
            continue
        if _WIDTH[now["scope"]] > _WIDTH[before["scope"]]:
            yield Break(name, f"asks for the scope {now['scope']}, not {before['scope']}")
        for door in sorted(set(before["doors"]) - set(now["doors"])):
            yield Break(name, f"the door {door} is closed")


def _shape(content: Any) -> Any:
    """The schema of a whole reply, or of each item of a stream."""
    return content["schema"] if "schema" in content else content["itemSchema"]
