"""Whatever is sent, every operation says quickly what is wrong, in the caller's language, and stores nothing."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit import json
from bivelio_server.kit.operations import Catalogue, Operation, Who
from tests.permissions.sample import Scene
from tests.permissions.samples import SAMPLES
from tests.permissions.tables import rows_of
from tests.security.json_types import ALL_TYPES, TYPED_VALUES, accepted_types
from tests.world import Client, Organization, World

pytestmark = pytest.mark.anyio

OPERATIONS: Final = list(Catalogue(FEATURES))
MEBIBYTE: Final = 1_048_576
JSON: Final = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class BadRequest:
    """A request, its status, and a piece of the sentence that tells why, in Spanish and English."""

    name: str
    content: bytes
    spanish: str
    english: str
    status: int = 400
    headers: dict[str, str] = field(default_factory=lambda: JSON)
    method: str = "POST"


def broken(name: str, content: bytes) -> BadRequest:
    return BadRequest(name, content, "no es JSON válido", "not valid JSON")


def no_object(name: str, content: bytes) -> BadRequest:
    return BadRequest(name, content, "El cuerpo debe ser un objeto JSON", "must be a JSON object")


def no_data(name: str, content: bytes) -> BadRequest:
    return BadRequest(name, content, "El campo 'data' debe ser un objeto", "'data' must be an object")


def wrong_action(name: str, content: bytes) -> BadRequest:
    return BadRequest(name, content, "El campo 'action' debe ser '", "The field 'action' must be '")


def wrong_type(name: str, content_type: str | None) -> BadRequest:
    headers = {"Content-Type": content_type} if content_type else {}
    return BadRequest(name, b"{}", "Content-Type: application/json", "Content-Type: application/json", 415, headers)


def wrong_method(method: str) -> BadRequest:
    return BadRequest(
        method, b"", f"El método {method} no está permitido", f"method {method} is not allowed", 405, method=method
    )


BAD_REQUESTS: Final = [
    broken("broken", b'{"data": {'),
    broken("two values", b"{}{}"),
    broken("blank", b"   "),
    broken("byte order mark", b"\xef\xbb\xbf{}"),
    broken("single quotes", b"{'data': {}}"),
    broken("UTF-16", '{"data": {}}'.encode("utf-16-le")),
    BadRequest("latin-1", '{"data": {"x": "ñ"}}'.encode("latin-1"), "no es UTF-8", "not UTF-8"),
    BadRequest("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff", "no es UTF-8", "not UTF-8"),
    BadRequest("raw surrogate", b'{"data": {"x": "\xed\xa0\x80"}}', "no es UTF-8", "not UTF-8"),
    BadRequest("lone surrogate", b'{"data": {"x": "\\ud800"}}', "sustituto", "surrogate"),
    BadRequest("surrogate in a key", b'{"data": {"\\udfff": 1}}', "sustituto", "surrogate"),
    BadRequest("NUL", b'{"data": {"x": "a\\u0000b"}}', "carácter NUL", "NUL character"),
    broken("raw NUL", b'{"data": {"x": "a\x00b"}}'),
    BadRequest("deep arrays", b'{"data": {"x": ' + b"[" * 100_000, "anidado", "nested deeper"),
    BadRequest("deep objects", b'{"data": ' + b'{"x":' * 100_000, "anidado", "nested deeper"),
    BadRequest("rather deep", b'{"data":' + b'{"x":' * 100 + b"1" + b"}" * 101, "anidado", "nested deeper"),
    BadRequest("NaN", b'{"data": {"x": NaN}}', "NaN no es JSON", "NaN is not JSON"),
    BadRequest("infinite", b'{"data": {"x": -Infinity}}', "-Infinity no es JSON", "-Infinity is not JSON"),
    BadRequest("huge number", b'{"data": {"x": 1e999}}', "fuera de rango", "out of range"),
    BadRequest("huge exponent", b'{"data": {"x": 1e99999999999999999999}}', "fuera de rango", "out of range"),
    BadRequest("long integer", b'{"data": {"x": ' + b"9" * 500_000 + b"}}", "demasiadas cifras", "too many digits"),
    BadRequest("key twice", b'{"data": {"x": 1, "x": 2}}', "'x' está repetida", "'x' is repeated"),
    BadRequest("data twice", b'{"data": {}, "data": {}}', "'data' está repetida", "'data' is repeated"),
    no_object("array", b"[]"),
    no_object("text", b'"data"'),
    no_object("number", b"5"),
    no_object("null", b"null"),
    no_data("data is an array", b'{"data": []}'),
    no_data("data is text", b'{"data": "x"}'),
    no_data("data is null", b'{"data": null}'),
    BadRequest("unknown member", b'{"datos": {}}', "El campo 'datos' no existe", "The field 'datos' does not exist"),
    wrong_action("unknown action", b'{"action": "explode", "data": {}}'),
    wrong_action("action is null", b'{"action": null, "data": {}}'),
    wrong_action("action is an array", b'{"action": ["list"], "data": {}}'),
    BadRequest("huge", b'{"data": "' + b"x" * MEBIBYTE + b'"}', "supera los 1048576 bytes", "larger than 1048576", 413),
    wrong_type("plain text", "text/plain"),
    wrong_type("form", "application/x-www-form-urlencoded"),
    wrong_type("nearly JSON", "application/jsonp"),
    wrong_type("no type", None),
    wrong_type("nonsense type", ";;;=,"),
    wrong_type("declared latin-1", "application/json; charset=iso-8859-1"),
    wrong_type("declared UTF-16", 'application/json; charset="utf-16"'),
    *(wrong_method(method) for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS")),
]  # fmt: skip

HOSTILE_TEXTS: Final = [
    "'; drop table contacts; --", "%s%s%n", "{0.__class__}", "${jndi:ldap://x}", "../../etc/passwd", "\u202e\u200b",
    "😀" * 50, "<script>alert(1)</script>", "x" * 100_000, "\\", "%", " ", "{{ 1 + 1 }}", "null", "1e5", "-1",
]  # fmt: skip


@pytest.fixture(scope="module")
def acme(world: World) -> Organization:
    """One organisation for all: nothing here may leave a trace in it."""
    return world.organization("Acme")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_refuses_whatever_is_no_request(acme: Organization, operation: Operation) -> None:
    before = rows_of(acme.world.database, acme.id)
    asking = asking_for(acme, operation)

    for bad in BAD_REQUESTS:
        if bad.name == "huge" and operation.max_body_bytes is not None:  # it takes files
            continue
        spanish = await send(asking, operation, bad)
        english = await send(asking, operation, bad, {"Accept-Language": "en"})

        assert (spanish.status_code, spanish.headers["Content-Language"]) == (bad.status, "es"), bad.name
        assert (english.status_code, english.headers["Content-Language"]) == (bad.status, "en"), bad.name
        assert bad.spanish in problem_of(spanish)["message"], bad.name
        assert bad.english in problem_of(english)["message"], bad.name
    assert rows_of(acme.world.database, acme.id) == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_names_every_field_of_a_wrong_type(acme: Organization, operation: Operation) -> None:
    asking = asking_for(acme, operation)
    data = await arranged(acme, operation, asking)
    before = rows_of(acme.world.database, acme.id)

    for name, types in accepted_types(operation.input).items():
        for type_ in ALL_TYPES - types:
            reply = await post(asking, operation, {**data, name: TYPED_VALUES[type_]})

            assert reply.status_code == 400, (name, type_, reply.text)
            fields = {problem["field"] for problem in problem_of(reply)["details"]["errors"]}
            assert any(found == name or found.startswith((f"{name}.", f"{name}[")) for found in fields), (name, type_)
    assert rows_of(acme.world.database, acme.id) == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_names_every_field_that_does_not_exist(acme: Organization, operation: Operation) -> None:
    asking = asking_for(acme, operation)
    data = await arranged(acme, operation, asking)
    before = rows_of(acme.world.database, acme.id)

    reply = await post(asking, operation, {**data, "no_such_field": 1, "ñandú": {}, "org_id": str(acme.id)})

    assert reply.status_code == 400
    errors = problem_of(reply)["details"]["errors"]
    assert {error["field"] for error in errors} == {"no_such_field", "ñandú", "org_id"}
    assert {error["constraint"] for error in errors} == {"unknown_field"}
    assert rows_of(acme.world.database, acme.id) == before


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_a_hundred_thousand_unknown_fields_are_refused_quickly(acme: Organization, operation: Operation) -> None:
    content = b'{"data": {' + b",".join(b'"%d":1' % number for number in range(90_000)) + b"}}"

    reply = await send(asking_for(acme, operation), operation, BadRequest("many", content, "", ""))

    assert reply.status_code == 400
    assert len(problem_of(reply)["details"]["errors"]) <= 50


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_hostile_text_is_only_text(world: World, operation: Operation) -> None:
    acme = world.organization("Acme")
    for name, types in accepted_types(operation.input).items():
        if "string" not in types:
            continue
        asking = asking_for(acme, operation)
        data = await arranged(acme, operation, asking)
        for text in HOSTILE_TEXTS:
            reply = await post(asking, operation, {**data, name: text})

            assert reply.status_code < 500, (name, text[:40], reply.text)
            assert reply.status_code == 200 or problem_of(reply)["message"]


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.max_body_bytes is None], ids=lambda operation: operation.name
)
async def test_a_huge_body_in_pieces_is_refused_before_it_is_whole(acme: Organization, operation: Operation) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 65_536
            yield b" " * 65_536

    headers = {**JSON, **asking_for(acme, operation).headers}
    reply = await acme.world.http.post(operation.path, content=pieces(), headers=headers)

    assert reply.status_code == 413


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/contacts/", "/v1//contacts", "/v1/Contacts", "/v1/contacts/create/x", "/v1"]
)
async def test_an_unknown_path_does_not_exist(acme: Organization, path: str) -> None:
    reply = await acme.live.post(path)

    assert (reply.status_code, problem_of(reply)["code"]) == (404, "RESOURCE_NOT_FOUND")


SIGN_IN: Final = [bad for bad in BAD_REQUESTS if "data" not in bad.spanish and "action" not in bad.spanish]


@pytest.mark.parametrize("bad", SIGN_IN, ids=lambda bad: bad.name)
async def test_sign_in_refuses_as_well(acme: Organization, bad: BadRequest) -> None:
    reply = await acme.world.http.request(
        bad.method, "/v1/auth/token?grant_type=password", content=bad.content, headers=bad.headers
    )

    assert (reply.status_code, problem_of(reply)["code"]) == (bad.status, "VALIDATION_ERROR")


def asking_for(organization: Organization, operation: Operation) -> Client:
    """A client of all rights, of the kind that the operation asks for."""
    return organization.live if operation.who is Who.anyone else organization.owner


async def arranged(organization: Organization, operation: Operation, asking: Client) -> dict[str, Any]:
    return await SAMPLES[operation.name].arrange(Scene(organization, asking=asking))


async def send(
    asking: Client, operation: Operation, bad: BadRequest, headers: dict[str, str] | None = None
) -> httpx2.Response:
    """The reply, which must come within a second."""
    started = time.perf_counter()
    reply = await asking.http.request(
        bad.method,
        operation.path,
        content=bad.content,
        headers={**bad.headers, **asking.headers, **(headers or {})},
    )
    assert time.perf_counter() - started < 1
    return reply


async def post(asking: Client, operation: Operation, data: Any) -> httpx2.Response:
    content = json.dumps({"action": operation.action, "data": data})
    return await send(asking, operation, BadRequest("", content, "", ""))


def problem_of(reply: httpx2.Response) -> Any:
    body = reply.json()
    assert body["success"] is False
    return body["error"]
