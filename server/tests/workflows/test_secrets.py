"""Secrets of steps: kept, sent, and never seen again."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.vault.masking import MASK
from bivelio_server.workflows.vault.operations import MAX_SECRETS
from tests.following import following
from tests.webhooks.receiver import Received, Receiver, always, in_turn, receiving
from tests.workflows.arranging import (
    Json,
    code_of,
    ended,
    events_of,
    instance,
    instances,
    later,
    on,
    problems,
    run,
    started,
    step_of,
    until,
    workflow,
)
from tests.workflows.dumping import dump
from tests.workflows.secret_forms import CANARY, PLAIN, forms
from tests.world import Client, Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """Somebody's server, that repeats what it was sent."""
    async with receiving(_echo) as receiver:
        yield receiver


async def secret(client: Client, name: str = "TOKEN", value: str = PLAIN, **fields: Any) -> Json:
    made: Json = await client.call("/v1/workflows/set_secret", {"name": name, "value": value, **fields})
    return made


def call(url: str, **request: Any) -> Json:
    return {"id": "call", "http_request": {"url": url, **request}}


def bearer(url: str) -> Json:
    return call(url, headers={"Authorization": "Bearer {{ secrets.TOKEN }}"})


async def test_a_secret_is_named_and_never_shown(acme: Organization) -> None:
    made = await secret(acme.live, description="Del ERP")
    again = await secret(acme.live, value="another-value-1")
    page = await acme.live.call("/v1/workflows/list_secrets")

    assert made == {
        "name": "TOKEN", "description": "Del ERP", "created_at": made["created_at"], "updated_at": made["updated_at"],
    }  # fmt: skip
    assert again["description"] == "Del ERP"
    assert [found["name"] for found in page["secrets"]] == ["TOKEN"]
    assert page["pagination"]["total"] == 1
    assert PLAIN not in str([made, again, page])


async def test_a_deleted_secret_is_gone(acme: Organization) -> None:
    await secret(acme.live)

    await acme.live.call("/v1/workflows/delete_secret", {"name": "TOKEN"})
    again = await acme.live.post("/v1/workflows/delete_secret", {"name": "TOKEN"})

    assert (await acme.live.call("/v1/workflows/list_secrets"))["secrets"] == []
    assert code_of(again) == (404, "RESOURCE_NOT_FOUND")


async def test_others_have_their_own(acme: Organization, rival: Organization, service: Receiver) -> None:
    await secret(acme.live)
    await secret(rival.live, value="canary-of-rival-1")
    made = await workflow(acme.live, bearer(service.url()))

    await run(acme.live, made)
    foreign = await rival.sandbox.post("/v1/workflows/delete_secret", {"name": "TOKEN"})
    elsewhere = await acme.sandbox.post("/v1/workflows/create", {"name": "x", "steps": [bearer(service.url())]})

    assert [request.headers["authorization"] for request in service.requests] == [f"Bearer {PLAIN}"]
    assert code_of(foreign) == (404, "RESOURCE_NOT_FOUND")
    assert problems(elsewhere) == [("steps[0].http_request.headers.Authorization", "reference")]


@pytest.mark.parametrize(
    ("data", "field", "constraint"),
    [
        ({"name": "token", "value": PLAIN}, "name", "pattern"),
        ({"name": "1", "value": PLAIN}, "name", "pattern"),
        ({"name": "A" * 61, "value": PLAIN}, "name", "max_length"),
        ({"name": "TOKEN", "value": "short"}, "value", "min_length"),
        ({"name": "TOKEN", "value": f"{PLAIN}\n"}, "value", "trimmed"),
        ({"name": "TOKEN", "value": "x" * 8193}, "value", "max_length"),
        ({"name": "TOKEN"}, "value", "required"),
    ],
)
async def test_what_is_no_secret_is_refused(acme: Organization, data: Json, field: str, constraint: str) -> None:
    reply = await acme.live.post("/v1/workflows/set_secret", data)

    assert problems(reply) == [(field, constraint)]
    assert str(data.get("value", PLAIN)).strip() not in reply.text


async def test_there_are_so_many_at_most(acme: Organization, owner: psycopg.Connection) -> None:
    await secret(acme.live)
    owner.execute(
        "insert into workflow_secrets select org_id, environment, id || n, 'S' || n, null, sealed_value, created_at,"
        " updated_at from workflow_secrets, generate_series(2, %s) n where org_id = %s",
        (MAX_SECRETS, acme.id),
    )

    full = await acme.live.post("/v1/workflows/set_secret", {"name": "ONE_MORE", "value": PLAIN})
    changed = await acme.live.post("/v1/workflows/set_secret", {"name": "TOKEN", "value": PLAIN})

    assert (code_of(full), code_of(changed)[0]) == ((409, "CONFLICT"), 200)


async def test_a_secret_goes_wherever_a_request_has_room_for_it(acme: Organization, service: Receiver) -> None:
    await secret(acme.live)
    made = await workflow(
        acme.live,
        call(
            service.url("/bot{{ secrets.TOKEN }}/send"), method="POST", query={"key": "{{ secrets.TOKEN }}"},
            headers={"X-Key": "{{ secrets.TOKEN }}"}, json={"deep": [{"token": "<{{ secrets.TOKEN }}>", "n": 1}]},
            basic_auth={"username": "{{ input.user }}", "password": "{{ secrets.TOKEN }}"},
        ),
    )  # fmt: skip

    found = await run(acme.live, made, user="ana")

    [request] = service.requests
    assert request.path == f"/bot{PLAIN}/send?key={PLAIN}"
    assert json.loads(request.body) == {"deep": [{"token": f"<{PLAIN}>", "n": 1}]}
    assert request.headers["x-key"] == PLAIN
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode() == f"ana:{PLAIN}"
    assert step_of(found, "call")["input"] == {
        "method": "POST", "url": service.url(f"/bot{MASK}/send"), "query": {"key": MASK}, "headers": {"X-Key": MASK},
        "json": {"deep": [{"token": f"<{MASK}>", "n": 1}]}, "basic_auth": {"username": "ana", "password": MASK},
    }  # fmt: skip


async def test_nothing_that_is_kept_holds_a_secret(
    acme: Organization, service: Receiver, app: Starlette, installation: Installation, owner: psycopg.Connection
) -> None:
    """Run views, events, stream, logs, audit log and a dump of the database, though the service repeats it all."""
    await secret(acme.live, value=CANARY)
    await secret(acme.live, "PLAIN", PLAIN)
    await workflow(acme.live, {"id": "seen", "set": {"output": "{{ input.data.output }}"}}, **on("workflow.completed"))
    step = call(
        service.url(), method="POST", json={"token": "{{ secrets.TOKEN }}"}, query={"q": "{{ secrets.TOKEN }}"},
        headers={"X-Plain": "Token {{ secrets.PLAIN }}"},
        basic_auth={"username": "a", "password": "{{ secrets.TOKEN }}"},
    )  # fmt: skip
    failing = {**call(service.url("/fail"), method="POST", body="{{ secrets.TOKEN }}"), "id": "fail"}
    made = await workflow(
        acme.live, step, {**failing, "on_error": "continue"}, output={"echo": "{{ steps.call.output }}"}
    )

    with capture_logs() as logs:
        found = await run(acme.live, made)
        async with following(app, "/v1/workflows/watch_instance", _reference(found), acme.live.headers) as stream:
            streamed = await stream.rest()
        listened = [await ended(acme.live, each) for each in await instances(acme.live) if each["input"].get("event")]
    audit = await acme.live.call("/v1/audit/list", {"per_page": 100})

    sent, failed = service.requests
    assert json.loads(sent.body)["token"] == failed.body.decode() == CANARY
    assert f"Token {PLAIN}" in sent.headers["x-plain"]
    assert (step_of(found, "fail")["status"], MASK in str(step_of(found, "fail")["error"])) == ("failed", True)
    assert MASK in str(found["output"])
    assert len(events_of(owner, acme, "workflow.completed")) >= 1
    dumped = dump(installation)
    assert made["id"] in dumped
    for kept in (found, streamed, listened, audit, logs, dumped):
        assert _forms_in(CANARY, str(kept)) == _forms_in(PLAIN, str(kept)) == []


@pytest.mark.parametrize(
    "step",
    [
        {"id": "a", "set": {"x": "{{ secrets.TOKEN }}"}},
        {"id": "a", "uses": "contacts.create", "with": {"name": "{{ secrets.TOKEN }}"}},
        {"id": "a", "if": "{{ secrets.TOKEN == 'x' }}", "then": []},
        {"id": "a", "stop": {"output": "{{ secrets.TOKEN }}"}},
    ],
)
async def test_no_other_step_sees_secrets(acme: Organization, step: Json) -> None:
    await secret(acme.live)

    reply = await acme.live.post("/v1/workflows/create", {"name": "x", "steps": [step]})

    assert [constraint for _, constraint in problems(reply)] == ["reference"]


@pytest.mark.parametrize("text", ["{{ secrets[input.name] }}", "{{ secrets }}", "{{ secrets.all(s, s == 'a') }}"])
async def test_a_secret_is_named_as_it_is(acme: Organization, text: str) -> None:
    await secret(acme.live)

    reply = await acme.live.post("/v1/workflows/create", {"name": "x", "steps": [call("https://a.com/{{ 1 }}" + text)]})

    assert problems(reply) == [("steps[0].http_request.url", "reference")]


async def test_a_draft_may_name_a_secret_that_is_still_to_come(acme: Organization, service: Receiver) -> None:
    draft = await workflow(acme.live, bearer(service.url()), status="draft")

    early = await acme.live.post("/v1/workflows/activate", {"id": draft["id"]})
    await secret(acme.live)
    await acme.live.call("/v1/workflows/activate", {"id": draft["id"]})
    found = await run(acme.live, draft)

    assert problems(early) == [("steps[0].http_request.headers.Authorization", "reference")]
    assert found["status"] == "completed"


async def test_a_missing_secret_fails_the_step_before_anything_is_sent(acme: Organization, service: Receiver) -> None:
    await secret(acme.live)
    made = await workflow(acme.live, bearer(service.url()))
    await acme.live.call("/v1/workflows/delete_secret", {"name": "TOKEN"})

    found = await run(acme.live, made)

    assert found["error"]["details"]["field"] == "http_request.headers.Authorization"
    assert (found["error"]["code"], service.requests) == ("VALIDATION_ERROR", [])


async def test_an_attempt_takes_the_secret_of_its_time(
    acme: Organization, service: Receiver, services: Services, clock: MovableClock
) -> None:
    service.answer = in_turn(500, 200)
    await secret(acme.live)
    queued = await started(acme.live, await workflow(acme.live, bearer(service.url())))
    await service.wait(1)

    await secret(acme.live, value="the-next-token-2")

    async def has_ended() -> bool:
        later(services, clock, seconds=16)
        return (await instance(acme.live, queued))["finished_at"] is not None

    await until(has_ended)

    assert [request.headers["authorization"] for request in service.requests] == [
        f"Bearer {PLAIN}", "Bearer the-next-token-2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ int(secrets.TOKEN) }}", "El campo"),
        ("{{ secrets.TOKEN.substring(0, 90) }}", ""),
        ("{{ secrets.TOKEN + input.missing }}", "missing"),
    ],
)
async def test_an_error_does_not_show_the_value(acme: Organization, service: Receiver, text: str, said: str) -> None:
    await secret(acme.live)

    found = await run(acme.live, await workflow(acme.live, call(service.url(), headers={"X-A": text})))

    assert found["error"]["details"]["field"] == "http_request.headers.X-A"
    assert PLAIN[:6] not in str(found)
    assert service.requests == []


async def test_a_secret_in_the_body_follows_no_redirect(acme: Organization, service: Receiver) -> None:
    service.answer = always(307, {"Location": "http://127.0.0.2:9/elsewhere"})
    await secret(acme.live)

    found = await run(
        acme.live, await workflow(acme.live, call(service.url(), method="POST", body="{{ secrets.TOKEN }}"))
    )

    assert (found["error"]["details"]["status"], len(service.requests)) == (307, 1)


async def _echo(request: Received) -> tuple[int, dict[str, str], bytes]:
    """All of it, in every form."""
    heard = [request.path, request.body.decode(), *request.headers.values()]
    repeated = [form for text in heard for form in (text, *forms(text))]
    body = json.dumps({"heard": repeated, **dict.fromkeys(heard, 1)}).encode()
    headers = {"Content-Type": "application/json", "X-Echo": request.headers.get("x-plain", "")}
    return (422 if request.path == "/fail" else 200), headers, body


def _forms_in(secret: str, text: str) -> list[str]:
    return [form for form in (*forms(secret), base64.b64encode(secret.encode()).decode()[:-4]) if form in text]


def _reference(found: Json) -> Json:
    return {"instance_id": found["instance_id"]}
