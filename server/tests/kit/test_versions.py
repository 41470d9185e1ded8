"""Versions of the API: which one answers, and that callers of an earlier one keep its shapes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, get_args

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from bivelio_server.app import FEATURES, create_app, openapi_document
from bivelio_server.events.definitions import EventName
from bivelio_server.installation import Installation
from bivelio_server.kit.admission import Admitted
from bivelio_server.kit.caller import Caller, Environment
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import OperationsDoor, choose_version
from bivelio_server.kit.middleware import RequestMiddleware
from bivelio_server.kit.operations import Catalogue
from bivelio_server.kit.text import Text
from bivelio_server.kit.versions import HEADER, VERSIONS, Version, VersionChange, Versions
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

FIRST, SECOND, THIRD = "2026-04-07", "2026-09-01", "2027-01-15"
WHY = Text("Ejemplo", "Example")


def said_full_name(data: dict[str, Any]) -> dict[str, Any]:
    """What the second version called `title` the first called `full_name`."""
    if "full_name" in data:
        data["title"] = data.pop("full_name")
    return data


def says_full_name(output: dict[str, Any]) -> dict[str, Any]:
    output["full_name"] = output.pop("title")
    return output


def said_title(data: dict[str, Any]) -> dict[str, Any]:
    """What the third version calls `name` the second called `title`."""
    if "title" in data:
        data["name"] = data.pop("title")
    return data


def says_title(output: dict[str, Any]) -> dict[str, Any]:
    output["title"] = output.pop("name")
    return output


THREE = Versions(
    [Version(FIRST, WHY), Version(SECOND, WHY), Version(THIRD, WHY)],
    [
        VersionChange(
            version=SECOND, summary=WHY, operation="contacts.create", upgrade_input=said_full_name,
            downgrade_output=says_full_name, events=frozenset({"contact.created"}),
            downgrade_event=lambda _, data: says_full_name(data),
        ),
        VersionChange(
            version=THIRD, summary=WHY, operation="contacts.create", upgrade_input=said_title,
            downgrade_output=says_title, events=frozenset({"contact.created"}),
            downgrade_event=lambda _, data: says_title(data),
        ),
    ],
)  # fmt: skip


@asynccontextmanager
async def served(services: Services, organization: Organization, pinned: str | None) -> AsyncIterator[Client]:
    """A server of three versions, and a caller whose key is pinned to one of them."""

    user_id, rights = organization.id, frozenset({"write"})
    caller = Caller(organization.id, Environment.live, f"user:{user_id}", user_id, rights, api_version=pinned)
    door = OperationsDoor(replace(services, catalogue=Catalogue(FEATURES, THREE)))

    async def admitted(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        request.state.admitted = Admitted(caller, None, None, "127.0.0.1")
        choose_version(request, THREE, pinned)
        await door(scope, receive, send)

    app = Starlette(routes=[Mount("/v1", admitted)])
    app.add_middleware(RequestMiddleware, services=services)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://bivelio.test") as http:
        yield Client(http, {})


@pytest.mark.parametrize(
    ("pinned", "stated", "answering", "name"),
    [
        (FIRST, None, FIRST, "full_name"),
        (SECOND, None, SECOND, "title"),
        (THIRD, None, THIRD, "name"),
        (None, None, THIRD, "name"),
        ("2031-01-01", None, THIRD, "name"),
        (FIRST, THIRD, THIRD, "name"),
        (THIRD, FIRST, FIRST, "full_name"),
    ],
    ids=["first", "second", "third", "not pinned", "pinned by a newer server", "states newer", "states older"],
)
async def test_a_caller_keeps_the_shapes_of_its_version(
    services: Services, acme: Organization, pinned: str | None, stated: str | None, answering: str, name: str
) -> None:
    async with served(services, acme, pinned) as client:
        versioned = Client(client.http, {} if stated is None else {HEADER: stated})
        reply = await versioned.post("/v1/contacts/create", {name: "Ana"})

    assert reply.status_code == 200, reply.text
    assert reply.json()["data"][name] == "Ana"
    assert {"name", "title", "full_name"} & set(reply.json()["data"]) == {name}
    assert reply.headers[HEADER] == answering


async def test_an_older_shape_is_no_longer_known_to_newer_callers(services: Services, acme: Organization) -> None:
    async with served(services, acme, THIRD) as client:
        reply = await client.post("/v1/contacts/create", {"full_name": "Ana"})

    assert reply.status_code == 400
    assert "full_name" in [problem["field"] for problem in reply.json()["error"]["details"]["errors"]]


async def test_a_repeated_request_is_answered_in_its_version(services: Services, acme: Organization) -> None:
    async with served(services, acme, FIRST) as client:
        headers = {"Idempotency-Key": "once"}
        replies = [await Client(client.http, headers).post("/v1/contacts/create", {"full_name": "Ana"}) for _ in "12"]
        newer = await Client(client.http, {**headers, HEADER: THIRD}).post("/v1/contacts/create", {"name": "Ana"})

    assert replies[0].json() == replies[1].json()
    assert replies[1].json()["data"]["full_name"] == "Ana"
    assert newer.status_code == 422


@pytest.mark.parametrize("data", [[], "x", {"full_name": 3}, {"full_name": "Ana", "name": "Eva"}])
async def test_input_that_is_no_version_of_anything_is_refused(
    services: Services, acme: Organization, data: Any
) -> None:
    async with served(services, acme, FIRST) as client:
        reply = await client.post("/v1/contacts/create", data)

    assert reply.status_code in (200, 400)
    assert (reply.status_code == 200) == (isinstance(data, dict) and "name" in data)


@pytest.mark.parametrize("stated", ["2026-04-08", "v1", "", "2026-04-07,2026-09-01", "é".encode().decode("latin-1")])
async def test_an_unknown_version_is_refused_with_those_that_are_known(acme: Organization, stated: str) -> None:
    reply = await acme.world.http.post(
        "/v1/contacts", headers={**acme.live.headers, HEADER: stated.encode("latin-1"), "Accept-Language": "en"}
    )

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (400, "VALIDATION_ERROR")
    assert error["details"]["field"] == HEADER
    assert error["message"] == f"The header '{HEADER}' must be a version of the API: {VERSIONS.newest}."
    assert reply.headers[HEADER] == VERSIONS.newest


@pytest.mark.parametrize("path", ["/v1/contacts", "/v1/nowhere", "/v1/auth/token?grant_type=password"])
async def test_every_reply_names_its_version(acme: Organization, path: str) -> None:
    for client in (acme.live, acme.world.anonymous):
        reply = await client.post(path)

        assert reply.headers[HEADER] == VERSIONS.newest


async def test_sign_in_refuses_an_unknown_version(acme: Organization) -> None:
    reply = await acme.world.http.post("/v1/auth/token", headers={HEADER: "1"})

    assert reply.json()["error"]["details"]["field"] == HEADER


def test_an_event_is_told_in_the_version_of_the_payload() -> None:
    data = {"id": "ct_1", "name": "Ana"}

    told = {version: THREE.event_data(version, "contact.created", data) for version in (FIRST, SECOND, THIRD, None)}

    assert told[FIRST] == {"id": "ct_1", "full_name": "Ana"}
    assert told[SECOND] == {"id": "ct_1", "title": "Ana"}
    assert told[THIRD] == told[None] == data == {"id": "ct_1", "name": "Ana"}
    assert THREE.event_data(FIRST, "contact.updated", data) is data


@pytest.mark.parametrize("change_of", [FIRST, "2026-09-02"])
def test_a_change_comes_with_a_version_after_the_first(change_of: str) -> None:
    with pytest.raises(ValueError, match="after the first"):
        Versions([Version(FIRST, WHY), Version(SECOND, WHY)], [VersionChange(version=change_of, summary=WHY)])


def test_versions_are_listed_oldest_first() -> None:
    with pytest.raises(ValueError, match="oldest first"):
        Versions([Version(SECOND, WHY), Version(FIRST, WHY)])


def test_declared_changes_name_what_there_is() -> None:
    operations, events = {operation.name for operation in Catalogue(FEATURES)}, set(get_args(EventName))

    for change in VERSIONS.changes:
        assert change.operation is None or change.operation in operations
        assert change.events <= events


def test_the_document_shows_versions_and_their_changes() -> None:
    document = openapi_document(Catalogue(FEATURES, THREE), "http://bivelio.test")

    assert document["info"]["x-api-version"] == THIRD
    assert [known["version"] for known in document["info"]["x-api-versions"]] == [FIRST, SECOND, THIRD]
    assert document["info"]["x-api-changes"][0]["operation"] == "contacts.create"
    assert document["components"]["parameters"]["ApiVersion"]["schema"]["enum"] == [FIRST, SECOND, THIRD]
    versioned = [methods for path, methods in document["paths"].items() if path.startswith("/v1/")]
    for path in versioned:
        for endpoint in path.values():
            assert {"$ref": "#/components/parameters/ApiVersion"} in endpoint["parameters"]
            assert all(HEADER in reply["headers"] for reply in endpoint["responses"].values())


@pytest.mark.parametrize("pinned", [FIRST, SECOND])
async def test_a_key_is_answered_in_the_version_it_is_pinned_to(
    services: Services, installation: Installation, acme: Organization, pinned: str
) -> None:
    acme.world.database.execute("update api_keys set api_version = %s where org_id = %s", (pinned, acme.id))
    newer = create_app(replace(services, catalogue=Catalogue(FEATURES, THREE)), installation)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=newer), base_url="http://bivelio.test") as http:
        reply = await Client(http, acme.live.headers).post("/v1/contacts")

    assert (reply.status_code, reply.headers[HEADER]) == (200, pinned)
