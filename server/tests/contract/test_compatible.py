"""What counts as a break of the contract, and with what the contract is compared."""

import copy
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract import compare_with_main
from tests.contract.compatible import undeclared_breaks
from tests.contract.printed import FOLDER

GONE = object()

CREATE = {"title": "Create", "type": "object", "additionalProperties": False, "required": ["name"], "properties": {
    "name": {"type": "string", "maxLength": 200},
    "kind": {"enum": ["person", "company"], "type": "string"},
    "size": {"type": "number", "minimum": 1},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
    "page": {"type": "integer", "default": 20},
    "extra": {"type": "object", "additionalProperties": {"type": "string"}},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
}}  # fmt: skip
SHOWN = {"title": "Shown", "type": "object", "required": ["id", "status", "count"], "properties": {
    "id": {"type": "string"},
    "status": {"enum": ["open", "done"], "type": "string"},
    "count": {"type": "integer"},
    "at": {"type": "string", "format": "date-time"},
    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "trigger": {"oneOf": [
        {"title": "Manual", "type": "object", "required": ["type"], "properties": {"type": {"const": "manual"}}},
        {"title": "Timed", "type": "object", "required": ["type", "at"],
         "properties": {"type": {"const": "timed"}, "at": {"type": "string"}}},
    ]},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
}}  # fmt: skip
STEP = {"title": "Step", "type": "object", "required": ["id"], "properties": {
    "id": {"type": "string"}, "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
}}  # fmt: skip
ENDPOINT = {
    "operationId": "things.create",
    "parameters": [{"$ref": "#/components/parameters/Version"}],
    "requestBody": {"required": True, "content": {"application/json": {"schema": {
        "$ref": "#/components/schemas/Create"}}}},
    "responses": {
        "200": {"headers": {"Version": {}}, "content": {"application/json": {"schema": {
            "$ref": "#/components/schemas/Shown"}}}},
        "404": {"description": "RESOURCE_NOT_FOUND"},
        "409": {"description": "ALREADY_RUNNING, CONFLICT"},
    },
}  # fmt: skip
DOCUMENT = {
    "info": {"x-api-versions": [{"version": "2026-04-07"}], "x-api-changes": []},
    "paths": {"/v1/things/create": {"post": ENDPOINT}},
    "webhooks": {"thing.created": {"post": {
        "parameters": [{"name": "webhook-id", "in": "header", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Shown"}}}},
    }}},
    "components": {
        "schemas": {"Create": CREATE, "Shown": SHOWN, "Step": STEP},
        "parameters": {"Version": {"name": "Version", "in": "header", "schema": {"enum": ["1"], "type": "string"}}},
    },
}  # fmt: skip
ROWS = [{"name": "things.create", "scope": "write", "doors": ["http", "workflow"]}]

TAKES = "components schemas Create properties"
SHOWS = "components schemas Shown properties"
POST = "paths /v1/things/create post"

BREAKING = {
    "the path is gone": ("paths /v1/things/create", GONE, "POST /v1/things/create is gone"),
    "the event is gone": ("webhooks thing.created", GONE, "the event is gone"),
    "a header of the event is gone": ("webhooks thing.created post parameters", [], "header webhook-id is gone"),
    "a field is no longer taken": (f"{TAKES} kind", GONE, "body.kind is gone"),
    "a field is required now": ("components schemas Create required", ["name", "kind"], "body.kind is required now"),
    "a new field is required": (
        "components schemas Create", {**CREATE, "required": ["name", "new"]}, "body.new is required now",
    ),
    "takes another type": (f"{TAKES} name type", "integer", "body.name no longer takes string"),
    "takes whole numbers only": (f"{TAKES} size type", "integer", "body.size is integer now, not number"),
    "null is no longer taken": (f"{TAKES} note", {"type": "string"}, "body.note no longer takes null"),
    "a value is no longer taken": (f"{TAKES} kind enum", ["person"], "body.kind no longer takes 'company'"),
    "only some values are taken": (f"{TAKES} name enum", ["Ana"], "body.name takes only some values now"),
    "less is the most": (f"{TAKES} name maxLength", 100, "body.name: maxLength is 100 now"),
    "a new most": (f"{TAKES} page maximum", 100, "body.page: maximum is 100 now"),
    "more is the least": (f"{TAKES} size minimum", 2, "body.size: minimum is 2 now"),
    "empty is no longer taken": (f"{TAKES} name minLength", 1, "body.name: minLength is 1 now"),
    "a new pattern": (f"{TAKES} name pattern", "^A", "body.name: pattern is ^A now"),
    "another default": (f"{TAKES} page default", 50, "body.page is 50 when left out, not 20"),
    "other members of another type": (
        f"{TAKES} extra additionalProperties type", "integer", "body.extra.* no longer takes string",
    ),
    "no other members": (f"{TAKES} extra additionalProperties", False, "body.extra takes no other members now"),
    "deep in what contains itself": (
        "components schemas Step required", ["id", "uses"], "body.steps[].uses is required now",
    ),
    "a parameter is required": ("components parameters Version required", True, "header Version is required now"),
    "a parameter is gone": (f"{POST} parameters", [], "header Version is gone"),
    "another media type": (f"{POST} requestBody content", {"text/csv": {}}, "application/json is no longer taken"),
    "a field of the reply is gone": (f"{SHOWS} count", GONE, "reply.count is gone"),
    "a field of the reply may be absent": (
        "components schemas Shown required", ["id", "status"], "reply.count may now be absent",
    ),
    "a field of the reply has another type": (f"{SHOWS} id type", "integer", "reply.id may now be integer"),
    "a field of the reply may be null": (f"{SHOWS} id type", ["string", "null"], "reply.id may now be null"),
    "a whole number is any number": (f"{SHOWS} count type", "number", "reply.count is number now, not integer"),
    "another format": (f"{SHOWS} at format", "date", "reply.at has the format date, not date-time"),
    "any value instead of some": (f"{SHOWS} status enum", GONE, "reply.status may now have any value"),
    "a branch of a union loses a field": (
        f"{SHOWS} trigger oneOf 1 properties at", GONE, "reply.trigger.at is gone",
    ),
    "a header of the reply is gone": (f"{POST} responses 200 headers", {}, "header Version is gone from the reply"),
    "an error is gone": (f"{POST} responses 409 description", "CONFLICT", "error 409 ALREADY_RUNNING is gone"),
    "a status is gone": (f"{POST} responses 404", GONE, "error 404 RESOURCE_NOT_FOUND is gone"),
}  # fmt: skip

COMPATIBLE = {
    "a new path": ("paths /v1/things/get", {"post": {**ENDPOINT, "operationId": "things.get"}}),
    "a new event": ("webhooks thing.updated", {"post": {}}),
    "a new field is taken": (f"{TAKES} colour", {"type": "string"}),
    "a field is required no more": ("components schemas Create required", []),
    "more values are taken": (f"{TAKES} kind enum", ["person", "company", "robot"]),
    "any value is taken": (f"{TAKES} kind enum", GONE),
    "any type is taken": (f"{TAKES} name", {}),
    "null is taken too": (f"{TAKES} name type", ["string", "null"]),
    "any number is taken": (f"{TAKES} page type", "number"),
    "longer is taken": (f"{TAKES} name maxLength", 300),
    "any length is taken": (f"{TAKES} name maxLength", GONE),
    "smaller is taken": (f"{TAKES} size minimum", 0),
    "a new parameter": (f"{POST} parameters 1", {"name": "Idempotency-Key", "in": "header", "schema": {}}),
    "the body may be left out": (f"{POST} requestBody required", False),
    "a new field is shown": (f"{SHOWS} colour", {"type": "string"}),
    "a field is always there": ("components schemas Shown required", ["id", "status", "count", "at"]),
    "a new value is shown": (f"{SHOWS} status enum", ["open", "done", "lost"]),
    "null no more": (f"{SHOWS} note", {"type": "string"}),
    "whole numbers only": (f"{SHOWS} count", {"type": "integer", "maximum": 5}),
    "a new branch of a union": (f"{SHOWS} trigger oneOf 2", {"title": "New", "type": "object", "properties": {}}),
    "a new error": (f"{POST} responses 429", {"description": "RATE_LIMIT_EXCEEDED"}),
    "another name of a schema": (f"{POST} requestBody content application/json schema", CREATE),
}  # fmt: skip


def changed(path: str, value: Any) -> dict[str, Any]:
    """The document with one place of it put anew, or gone."""
    document: dict[str, Any] = copy.deepcopy(DOCUMENT)
    *parents, last = path.split(" ")
    place: Any = document
    for parent in parents:
        place = place[int(parent)] if isinstance(place, list) else place[parent]
    if value is GONE:
        del place[last]
    elif isinstance(place, list):
        place.append(value)
    else:
        place[last] = value
    return document


def breaks(new: dict[str, Any], rows: Any = ROWS) -> list[str]:
    return [str(one) for one in undeclared_breaks(DOCUMENT, new, ROWS, rows)]


@pytest.mark.parametrize(("path", "value", "told"), BREAKING.values(), ids=BREAKING)
def test_a_break_is_told(path: str, value: Any, told: str) -> None:
    assert any(told in one for one in breaks(changed(path, value)))


@pytest.mark.parametrize(("path", "value"), COMPATIBLE.values(), ids=COMPATIBLE)
def test_what_older_callers_do_not_notice_is_no_break(path: str, value: Any) -> None:
    assert breaks(changed(path, value)) == []


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"scope": "admin"}, "asks for the scope admin, not write"),
        ({"doors": ["http"]}, "the door workflow is closed"),
        ({"name": "things.make"}, "the operation is gone"),
        ({"scope": "read"}, None),
        ({"doors": ["agent", "http", "workflow"]}, None),
    ],
)
def test_rights_and_doors_are_promises_too(row: dict[str, Any], told: str | None) -> None:
    assert breaks(DOCUMENT, [{**ROWS[0], **row}]) == ([f"things.create: {told}"] if told else [])


@pytest.mark.parametrize(
    ("version", "operation", "events", "left"),
    [
        ("2026-09-01", "things.create", ["thing.created"], set()),
        ("2026-09-01", "things.create", [], {"thing.created"}),
        ("2026-09-01", None, ["thing.created"], {"things.create"}),
        ("2026-04-07", "things.create", ["thing.created"], {"things.create", "thing.created"}),
    ],
    ids=["both", "the operation only", "the event only", "with an old version"],
)
def test_a_break_is_declared_with_a_new_version(
    version: str, operation: str | None, events: list[str], left: set[str]
) -> None:
    document = changed(f"{SHOWS} count", GONE)
    document["info"] = {
        "x-api-versions": [{"version": "2026-04-07"}, {"version": "2026-09-01"}],
        "x-api-changes": [{"version": version, "operation": operation, "events": events}],
    }

    assert {one.partition(":")[0] for one in breaks(document)} == left


def test_our_own_contract_breaks_nothing_of_itself() -> None:
    document, rows = (json.loads((FOLDER / name).read_text()) for name in ("openapi.json", "operations.json"))

    assert undeclared_breaks(document, document, rows, rows) == []


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One with three commits on main, of which the last two differ in the contract."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for number in (1, 2, 3):
        commit(tmp_path, DOCUMENT if number < 3 else changed(f"{SHOWS} count", GONE))
    monkeypatch.setattr(compare_with_main, "FOLDER", tmp_path)
    return tmp_path


def commit(folder: Path, document: Any) -> None:
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "operations.json").write_text(json.dumps(ROWS))
    git(folder, "add", ".")
    git(folder, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--allow-empty", "-m", "x")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def test_on_main_the_commit_before_is_compared_with(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare_with_main.main([]) == 1
    assert "things.create: reply.count is gone" in capsys.readouterr().out


def test_on_a_branch_main_is_compared_with(repository: Path) -> None:
    git(repository, "switch", "--quiet", "-c", "feature")
    commit(repository, changed(f"{SHOWS} count", GONE))
    assert compare_with_main.main([]) == 0

    commit(repository, changed(f"{SHOWS} id", GONE))
    commit(repository, changed(f"{SHOWS} id", GONE))
    assert compare_with_main.main([]) == 1


def test_what_main_got_since_is_not_missing_on_a_branch(repository: Path) -> None:
    git(repository, "switch", "--quiet", "-c", "feature")
    git(repository, "switch", "--quiet", "main")
    commit(repository, changed("paths /v1/things/get", {"post": {**ENDPOINT, "operationId": "things.get"}}))
    git(repository, "switch", "--quiet", "feature")

    commit(repository, changed(f"{SHOWS} count", GONE))

    assert compare_with_main.main([]) == 0


def test_another_revision_may_be_named(repository: Path) -> None:
    assert compare_with_main.main(["HEAD"]) == 0
    assert compare_with_main.main(["HEAD~2"]) == 1
    assert compare_with_main.main(["nowhere"]) == 1


def test_outside_git_there_is_nothing_to_compare_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(compare_with_main, "FOLDER", tmp_path)

    assert compare_with_main.main([]) == 0
    assert "No earlier contract" in capsys.readouterr().out


def test_a_first_commit_has_nothing_before_it(repository: Path) -> None:
    git(repository, "checkout", "--quiet", "--orphan", "alone")
    commit(repository, DOCUMENT)
    git(repository, "branch", "--quiet", "-D", "main")

    assert compare_with_main.main([]) == 0
