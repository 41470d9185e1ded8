"""Steps that call any service: what is sent, what comes back, what is tried again."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.webhooks.receiver import Answer, Received, Receiver, always, hang, in_turn, receiving
from tests.workflows.arranging import Json, ended, instance, later, problems, run, started, step_of, until, workflow
from tests.workflows.steering import steer
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

JSON = {"content-type": "application/json; charset=utf-8"}


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """Somebody's server."""
    async with receiving(always(200, JSON, b'{"ok": true, "total": 12.50}')) as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


def call(url: str, **request: Any) -> Json:
    """A step that calls; `json_` and the like are its members without the underscore."""
    step = {name: request.pop(name) for name in ("retry", "timeout_seconds", "on_error") if name in request}
    return {"id": "call", "http_request": {"url": url, **{name.rstrip("_"): request[name] for name in request}}, **step}


async def test_a_call_gives_status_headers_and_body(acme: Organization, service: Receiver) -> None:
    service.answer = always(201, {**JSON, "X-Total": "2", "Set-Cookie": "a=b", "X-Auth-Token": "t"}, b'{"id": 7}')
    made = await workflow(
        acme.live,
        call(
            service.url("/orders?draft=1"), method="POST", query={"page": "{{ input.page }}", "tag": ["a b", "ñ"]},
            headers={"X-Shop": "{{ input.shop }}", "X-Nothing": "{{ null }}"},
            json_={"total": "{{ input.total }}", "note": "Hola {{ input.shop }}"},
        ),
    )  # fmt: skip

    found = await run(acme.live, made, page=2, shop="Tienda", total=12.5)

    [request] = service.requests
    path, _, query = request.path.partition("?")
    assert (path, sorted(query.split("&"))) == ("/orders", ["draft=1", "page=2", "tag=%C3%B1", "tag=a%20b"])
    assert json.loads(request.body) == {"total": 12.5, "note": "Hola Tienda"}
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-shop"] == "Tienda"
    assert "x-nothing" not in request.headers
    assert request.headers["idempotency-key"] == f"{found['instance_id']}:call"
    assert found["output"] == {
        "status": 201, "headers": {"content-type": JSON["content-type"], "content-length": "9", "x-total": "2"},
        "body": {"id": 7},
    }  # fmt: skip
    assert step_of(found, "call")["input"]["json"] == {"total": 12.5, "note": "Hola Tienda"}


async def test_a_read_carries_no_key_and_an_author_may_give_one(acme: Organization, service: Receiver) -> None:
    own = {**call(service.url(), method="PUT", body="x", headers={"Idempotency-Key": "mine"}), "id": "own"}
    made = await workflow(acme.live, call(service.url()), own)

    await run(acme.live, made)

    read, written = service.requests
    assert "idempotency-key" not in read.headers
    assert written.headers["idempotency-key"] == "mine"
    assert (written.headers["content-type"], written.body) == ("text/plain; charset=utf-8", b"x")


@pytest.mark.parametrize(
    ("headers", "body", "given"),
    [
        (JSON, b'{"total": 12.50}', {"total": 12.5}),
        ({"content-type": "application/problem+json"}, b"[1]", [1]),
        (JSON, b'{"broken": ', '{"broken": '),
        (JSON, b'{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        (JSON, b"", None),
        ({"content-type": "text/plain"}, b'{"a": 1}', '{"a": 1}'),
        ({"content-type": "text/html; charset=ISO-8859-1"}, "España".encode("latin-1"), "España"),
        ({}, "España".encode(), "España"),
    ],
)
async def test_what_the_body_becomes(
    acme: Organization, service: Receiver, headers: dict[str, str], body: bytes, given: Any
) -> None:
    service.answer = always(200, headers, body)

    found = await run(acme.live, await workflow(acme.live, call(service.url())))

    assert found["output"]["body"] == given


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"content-type": "image/png"}, b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        ({"content-type": "text/plain"}, b"a\x00b", "binary"),
        (JSON, b'"' + b"x" * 1_048_576 + b'"', "too_long"),
    ],
)
async def test_what_cannot_be_kept_is_an_error_that_says_so(
    acme: Organization, service: Receiver, headers: dict[str, str], body: bytes, reason: str
) -> None:
    service.answer = always(200, headers, body)

    found = await run(acme.live, await workflow(acme.live, call(service.url())))

    assert (found["status"], found["error"]["code"]) == ("failed", "INTEGRATION_ERROR")
    assert found["error"]["details"] == {"retryable": False, "reason": reason}
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 409, 422, 300])
async def test_a_refusal_is_final(acme: Organization, service: Receiver, status: int) -> None:
    service.answer = always(status, {}, b"No such order")

    found = await run(acme.live, await workflow(acme.live, call(service.url())))

    assert (found["status"], found["error"]["code"], found["error"]["path"]) == ("failed", "INTEGRATION_ERROR", "call")
    assert found["error"]["details"] == {
        "retryable": False, "reason": "status", "status": status, "reply": "No such order",
    }  # fmt: skip
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [302, 404, 503])
async def test_an_accepted_status_is_an_output(acme: Organization, service: Receiver, status: int) -> None:
    service.answer = always(status, {"location": "/elsewhere"}, b"")
    made = await workflow(acme.live, call(service.url(), accept_statuses=[302, 404, 503]))

    found = await run(acme.live, made)

    assert (found["output"]["status"], found["output"]["headers"]["location"]) == (status, "/elsewhere")
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_what_may_pass_is_tried_again_with_the_same_key(
    acme: Organization, service: Receiver, services: Services, clock: MovableClock, status: int
) -> None:
    service.answer = in_turn(status, status, 200)
    made = await workflow(acme.live, call(service.url(), method="POST", body="{{ now }} {{ input.name }}"))
    queued = await started(acme.live, made, name="Ana")

    found = await _ended_in_time(acme, queued, services, clock)

    assert len({(request.headers["idempotency-key"], request.body) for request in service.requests}) == 1
    assert (len(service.requests), step_of(found, "call")["attempts"]) == (3, 3)


async def test_the_policy_of_the_step_says_how_often(
    acme: Organization, service: Receiver, services: Services, clock: MovableClock
) -> None:
    service.answer = always(500, {}, b"Out of order")
    made = await workflow(acme.live, call(service.url(), retry={"attempts": 2}))
    queued = await started(acme.live, made)

    found = await _ended_in_time(acme, queued, services, clock, status="failed")

    assert len(service.requests) == 2
    assert found["error"]["details"] == {
        "retryable": True, "reason": "status", "status": 500, "reply": "Out of order",
    }  # fmt: skip


@pytest.mark.parametrize(("wish", "pause"), [("60", 60), ("3600", 90), ("soon", 2), ("1", 2)])
async def test_what_the_service_asks_for_is_respected_as_far_as_the_policy_goes(
    acme: Organization, service: Receiver, wish: str, pause: int
) -> None:
    service.answer = always(429, {"Retry-After": wish})
    made = await workflow(acme.live, call(service.url(), retry={"max_delay_seconds": 90}))
    queued = await started(acme.live, made)

    await until(lambda: _attempts(acme, queued, 1))
    resting = step_of(await instance(acme.live, queued), "call")

    assert 0 <= _seconds(resting["retry_at"]) - _seconds(resting["started_at"]) - pause <= 3


async def test_nobody_there_is_tried_again(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, call("http://127.0.0.1:9/", retry={"attempts": 2}))
    queued = await started(acme.live, made)

    found = await _ended_in_time(acme, queued, services, clock, status="failed")

    assert found["error"]["details"] == {"retryable": True, "reason": "connect_failed"}
    assert found["error"]["message"] == "El otro servidor no acepta la conexión."
    assert step_of(found, "call")["attempts"] == 2


async def test_a_timeout_counts_for_each_attempt(
    acme: Organization, service: Receiver, services: Services, clock: MovableClock
) -> None:
    service.answer = hang
    made = await workflow(acme.live, call(service.url(), timeout_seconds=1, retry={"attempts": 2}))
    queued = await started(acme.live, made)

    found = await _ended_in_time(acme, queued, services, clock, status="failed")

    assert (found["error"]["code"], len(service.requests)) == ("TIMEOUT", 2)


async def test_an_error_can_be_handled(acme: Organization, service: Receiver) -> None:
    service.answer = always(404)
    handler = [{"id": "note", "set": {"status": "{{ error.details.status }}"}}]
    made = await workflow(acme.live, call(service.url(), on_error=handler))

    found = await run(acme.live, made)

    assert (found["status"], step_of(found, "note")["output"]) == ("completed", {"status": 404})


async def test_a_redirect_is_followed_and_checked_again(acme: Organization, service: Receiver) -> None:
    service.answer = _redirecting({"/old": "/new", "/inside": "http://10.0.0.1/"})
    made = await workflow(acme.live, call(service.url("{{ input.path }}")))

    followed = await run(acme.live, made, path="/old")
    refused = await run(acme.live, made, path="/inside")

    assert followed["output"]["status"] == 200
    assert [request.path for request in service.requests] == ["/old", "/new", "/inside"]
    assert refused["error"]["details"] == {"retryable": False, "reason": "address_refused"}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.1/", "address_refused"),
        ("http://169.254.169.254/latest/meta-data", "address_refused"),
        ("ftp://example.com/", "url_invalid"),
        ("http://user:word@example.com/", "url_invalid"),
    ],
)
async def test_a_private_address_is_not_called(acme: Organization, url: str, reason: str) -> None:
    found = await run(acme.live, await workflow(acme.live, call("{{ input.url }}")), url=url)

    assert found["error"]["details"] == {"retryable": False, "reason": reason}


async def test_a_crash_after_the_call_repeats_the_same_call(
    acme: Organization, service: Receiver, services: Services, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = services.http.request
    crashes = iter([psycopg.OperationalError])

    async def crashing(*given: Any, **options: Any) -> Any:
        answer = await request(*given, **options)
        if (crash := next(crashes, None)) is not None:
            raise crash
        return answer

    monkeypatch.setattr(services.http, "request", crashing)
    made = await workflow(acme.live, call(service.url(), method="POST", json_={"at": "{{ now }}"}))
    queued = await started(acme.live, made)
    await service.wait(1)
    prepared = step_of(await instance(acme.live, queued), "call")

    found = await _ended_in_time(acme, queued, services, clock)

    first, second = service.requests
    assert (first.body, first.headers) == (second.body, second.headers)
    assert prepared["input"]["json"] == json.loads(first.body)
    assert step_of(found, "call")["attempts"] == 1


async def test_a_call_that_is_done_again_has_another_key(acme: Organization, service: Receiver) -> None:
    service.answer = in_turn(400, 200)
    before = await run(acme.live, await workflow(acme.live, call(service.url(), method="POST")))

    await steer(acme.live, "retry", before)
    await ended(acme.live, before)

    key = f"{before['instance_id']}:call"
    assert [request.headers["idempotency-key"] for request in service.requests] == [key, f"{key}:1"]


async def test_no_transaction_stays_open_during_the_call(
    acme: Organization, service: Receiver, owner: psycopg.Connection
) -> None:
    answer = asyncio.Event()
    service.answer = _after(answer)
    queued = await started(acme.live, await workflow(acme.live, call(service.url())))
    await service.wait(1)

    open_ones = owner.execute(
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
    ).fetchone()
    answer.set()
    await ended(acme.live, queued)

    assert open_ones == (0,)


async def test_calls_side_by_side_do_not_wait_for_each_other(acme: Organization, service: Receiver) -> None:
    both = asyncio.Barrier(2)

    async def together(_request: Received) -> int:
        await both.wait()
        return 200

    service.answer = together
    inner = {"id": "call", "http_request": {"url": service.url("/{{ item }}"), "method": "DELETE"}}
    loop = {"id": "each", "for_each": "{{ ['a', 'b'] }}", "concurrency": 2, "steps": [inner]}

    found = await run(acme.live, await workflow(acme.live, loop))

    assert found["status"] == "completed"
    assert {request.headers["idempotency-key"] for request in service.requests} == {
        f"{found['instance_id']}:each[{index}].call" for index in range(2)
    }


async def test_who_activated_it_must_still_be_somebody(
    acme: Organization, service: Receiver, owner: psycopg.Connection
) -> None:
    key = acme.key("admin")
    made = await workflow(key, call(service.url()))
    owner.execute("update api_keys set revoked_at = now() where org_id = %s and name = 'test'", (acme.id,))

    found = await run(acme.live, made)

    assert (found["error"]["code"], service.requests) == ("AUTH_INSUFFICIENT_SCOPE", [])


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ({"url": "nowhere"}, [("steps[0].http_request.url", "url")]),
        ({"url": "https://u:p@example.com"}, [("steps[0].http_request.url", "url")]),
        ({"url": "https://example.com", "headers": {"Host": "x"}}, [("steps[0].http_request.headers", "header")]),
        ({"url": "https://example.com", "headers": {"a b": "x"}}, [("steps[0].http_request.headers", "header")]),
        (
            {"url": "https://example.com", "headers": {"A": "x", "a": "y"}},
            [("steps[0].http_request.headers", "unique_items")],
        ),
        (
            {"url": "https://example.com", "method": "POST", "json": None, "body": "x"},
            [("steps[0].http_request", "exclusive")],
        ),
        ({"url": "https://example.com", "json": {}}, [("steps[0].http_request", "exclusive")]),
        (
            {"url": "https://example.com", "headers": {"authorization": "x"},
             "basic_auth": {"username": "a", "password": "b"}},
            [("steps[0].http_request", "exclusive")],
        ),
        ({"url": "https://example.com", "method": "BREW"}, [("steps[0].http_request.method", "one_of")]),
        ({"url": "https://{{ nothing.here }}"}, [("steps[0].http_request.url", "reference")]),
        ({"url": "https://example.com", "accept_statuses": [200]},
         [("steps[0].http_request.accept_statuses[0]", "minimum")]),
    ],
)  # fmt: skip
async def test_a_wrong_request_is_told_when_it_is_saved(
    acme: Organization, request_: Json, found: list[tuple[str, str]]
) -> None:
    steps = [{"id": "call", "http_request": request_}]

    reply = await acme.live.post("/v1/workflows/create", {"name": "x", "steps": steps})

    assert problems(reply) == found


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"headers": {"X-A": "{{ input.list }}"}}, "http_request.headers.X-A"),
        ({"headers": {"X-A": "{{ input.lines }}"}}, "http_request.headers.X-A"),
        ({"query": {"a": {"b": 1}}}, "http_request.query.a"),
        ({"url": "{{ input.list }}"}, "http_request.url"),
    ],
)
async def test_a_value_that_cannot_be_sent_is_told_with_its_place(
    acme: Organization, service: Receiver, request_: Json, field: str
) -> None:
    made = await workflow(acme.live, {"id": "call", "http_request": {"url": service.url(), **request_}})

    found = await run(acme.live, made, list=["a"], lines="a\r\nX-Evil: b")

    assert (found["error"]["code"], found["error"]["details"]["field"]) == ("VALIDATION_ERROR", field)
    assert service.requests == []


async def _attempts(organization: Organization, queued: Json, count: int) -> bool:
    steps = (await instance(organization.live, queued))["steps"]
    return any(step["attempts"] == count for step in steps)


async def _ended_in_time(
    organization: Organization, queued: Json, services: Services, clock: MovableClock, *, status: str = "completed"
) -> Json:
    """The run once it has ended, with the clock moved as often as that takes."""

    async def has_ended() -> bool:
        later(services, clock, seconds=16)
        await asyncio.sleep(0.05)
        return (await instance(organization.live, queued))["finished_at"] is not None

    await until(has_ended)
    return await ended(organization.live, queued, status)


def _redirecting(ways: dict[str, str]) -> Answer:
    async def answer(request: Received) -> int | tuple[int, dict[str, str]]:
        way = ways.get(request.path)
        return 200 if way is None else (302, {"Location": way})

    return answer


def _after(event: asyncio.Event) -> Answer:
    async def answer(_request: Received) -> int:
        await event.wait()
        return 200

    return answer


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
