"""Workflows that other systems start, at a URL of their own."""

import asyncio
import json
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.workflows.instances import DEPTH_HEADER, MAX_DEPTH
from tests.workflows.arranging import HELLO, Json, code_of, create_contact, ended, instance, instances, run, workflow
from tests.workflows.dumping import dump
from tests.workflows.hooking import ON_WEBHOOK, PROOFS, SIGNED, TIMED, Hook, Proof, hook
from tests.workflows.secret_forms import forms
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

BODY = '{"id": 7, "name": "María", "total": 12.5}'
OWN_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = ("Idempotency-Key", "webhook-id", "svix-id", "X-GitHub-Delivery")


async def rotated(client: Client, made: Json, **data: Any) -> Json:
    found: Json = await client.call("/v1/workflows/rotate_hook_secret", {"workflow_id": made["id"], **data})
    return found


@pytest.mark.usefixtures("worker")
async def test_a_request_starts_a_run_that_acts_as_the_workflow(acme: Organization) -> None:
    caught = await hook(acme.live, create_contact(name="{{ input.body.name }}"))

    reply = await caught.call(BODY, {"X-Shop-Topic": "orders/create"}, params={"shop": "a b"})
    found = await ended(acme.live, reply.json()["data"])

    assert (reply.status_code, reply.json()["success"], list(reply.json()["data"])) == (202, True, ["instance_id"])
    assert found["input"]["body"] == {"id": 7, "name": "María", "total": 12.5}
    assert found["input"]["query"] == {"shop": "a b"}
    assert found["input"]["headers"]["x-shop-topic"] == "orders/create"
    assert (found["trigger_type"], found["started_by"].partition(":")[0]) == ("webhook", "hook")
    assert found["output"]["name"] == "María"
    contact = await acme.live.call("/v1/audit/list", {"operation": "contacts.create"})
    assert contact["entries"][0]["actor"] == f"workflow:{caught.workflow['id']}"


async def test_the_run_is_there_when_the_reply_comes(acme: Organization) -> None:
    caught = await hook(acme.live)

    replies = await asyncio.gather(*(caught.call(BODY) for _ in range(20)))

    assert {found["instance_id"] for found in await instances(acme.live, per_page=100)} == {
        reply.json()["data"]["instance_id"] for reply in replies
    }


@pytest.mark.parametrize("secret", [None, OWN_SECRET])
@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
async def test_each_way_of_proving_the_secret(
    acme: Organization, clock: MovableClock, proof: Proof, secret: str | None
) -> None:
    caught, at = await hook(acme.live, secret=secret), int(clock.now().timestamp())

    proven = await caught.send(BODY, proof(caught.secret, BODY.encode(), at))
    wrong = await caught.send(BODY, proof(OWN_SECRET[:-1] + "x", BODY.encode(), at))

    assert (proven.status_code, code_of(wrong)) == (202, (401, "AUTH_INVALID_TOKEN"))
    assert len(await instances(acme.live)) == 1


@pytest.mark.parametrize("proof", SIGNED, ids=lambda proof: proof.__name__)
async def test_a_signature_is_of_the_body(acme: Organization, clock: MovableClock, proof: Proof) -> None:
    caught = await hook(acme.live)

    reply = await caught.send(BODY, proof(caught.secret, b"{}", int(clock.now().timestamp())))

    assert code_of(reply) == (401, "AUTH_INVALID_TOKEN")


@pytest.mark.parametrize(("late", "status"), [(-301, 401), (-299, 202), (299, 202), (301, 401)])
@pytest.mark.parametrize("proof", TIMED, ids=lambda proof: proof.__name__)
async def test_an_old_signature_is_none(
    acme: Organization, clock: MovableClock, proof: Proof, late: int, status: int
) -> None:
    caught = await hook(acme.live)

    reply = await caught.send(BODY, proof(caught.secret, BODY.encode(), int(clock.now().timestamp()) + late))

    assert reply.status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Basic !"},
        {"Authorization": "Bearer ñ".encode("latin-1")},
        {"X-BiVelio-Secret": ""},
        {"X-Hub-Signature-256": "sha256="},
        {"X-BiVelio-Signature": ""},
        {"webhook-id": "a", "webhook-timestamp": "x", "webhook-signature": "v1,"},
        {"Stripe-Signature": "t=,v1="},
        {"Stripe-Signature": ",,=,="},
    ],
)
async def test_no_proof_is_none(acme: Organization, headers: dict[str, Any]) -> None:
    caught = await hook(acme.live)

    proven = await caught.send(BODY, headers)
    in_the_url = await caught.send(BODY, headers, params={"secret": caught.secret, "token": caught.secret})

    assert code_of(proven) == code_of(in_the_url) == (401, "AUTH_INVALID_TOKEN")
    assert await instances(acme.live) == []


async def test_an_api_key_is_no_proof(acme: Organization) -> None:
    caught = await hook(acme.live)

    reply = await caught.send(BODY, acme.live.headers)

    assert code_of(reply) == (401, "AUTH_INVALID_TOKEN")


async def test_before_the_first_secret_nobody_can_call(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO, **ON_WEBHOOK)
    found = await acme.live.call("/v1/workflows/get_hook", {"workflow_id": made["id"]})

    reply = await Hook(acme.live, made, found["url"].partition(":8000")[2], "").call(BODY)

    assert (found["secret_set_at"], code_of(reply)) == (None, (401, "AUTH_INVALID_TOKEN"))


@pytest.mark.parametrize(
    ("content_type", "content", "body"),
    [
        ("application/json", "[1, 2.50, null]", [1, 2.5, None]),
        ("application/json; charset=utf-8", '"text"', "text"),
        ("application/vnd.shop+json", "{}", {}),
        ("application/json", "", None),
        ("application/x-www-form-urlencoded", "a=1&b=x+y&a=%C3%B1&c=", {"a": ["1", "ñ"], "b": "x y", "c": ""}),
        ("text/plain", "Hola", "Hola"),
        ("text/xml; charset=iso-8859-1", "<a>ñ</a>".encode("latin-1"), "<a>ñ</a>"),
        ("application/xml", "<a/>", "<a/>"),
        ("", "{}", "{}"),
    ],
)
async def test_what_the_body_becomes(acme: Organization, content_type: str, content: bytes | str, body: Any) -> None:
    caught = await hook(acme.live)

    found = await caught.input(content, {"Content-Type": content_type})

    assert found["body"] == body


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("application/json", "{", 400),
        ("application/json", '{"a": 1, "a": 2}', 400),
        ("application/json", '{"a": "\\u0000"}', 400),
        ("text/plain", b"\xff\xfe", 400),
        ("text/plain", b"a\x00b", 400),
        ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(1001)), 400),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("image/png", b"\x89PNG", 415),
        ("application/json", b'"' + b"x" * 262_144 + b'"', 413),
    ],
)
async def test_a_body_that_cannot_be_taken_is_refused(
    acme: Organization, content_type: str, content: bytes | str, status: int
) -> None:
    caught = await hook(acme.live)

    reply = await caught.call(content, {"Content-Type": content_type})

    assert code_of(reply) == (status, "VALIDATION_ERROR")
    assert await instances(acme.live) == []


async def test_the_run_sees_what_says_something_and_no_credential(acme: Organization) -> None:
    caught = await hook(acme.live)
    telling = {
        "User-Agent": "Shop/1", "X-GitHub-Event": "push", "X-Shopify-Topic": "orders/create", "X-WC-Webhook-ID": "7",
        "webhook-id": "m1", "webhook-timestamp": "1",
    }  # fmt: skip
    secret = {
        "Cookie": "a=b", "X-Gitlab-Token": "t", "X-Api-Key": "k", "X-Hook-Secret": "s", "X-Event-Signature": "s",
        "X-Forwarded-For": "10.0.0.1", "X-Real-IP": "10.0.0.1", "webhook-signature": "v1,x",
    }  # fmt: skip

    found = await caught.input(BODY, {**telling, **secret}, params={"leaked": caught.secret})

    assert found["headers"] == {
        "content-type": "application/json", **{name.lower(): value for name, value in telling.items()},
    }  # fmt: skip
    assert found["query"] == {"leaked": "••••"}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_other_methods_are_refused_clearly(acme: Organization, method: str) -> None:
    caught = await hook(acme.live)

    reply = await caught.call(method=method)

    assert (code_of(reply), reply.headers["allow"]) == ((405, "VALIDATION_ERROR"), "POST")


async def test_a_look_whether_the_url_is_there_tells_nothing(acme: Organization) -> None:
    caught = await hook(acme.live)

    replies = [await caught.send(method="HEAD", path=path) for path in (caught.path, "/v1/hooks/hook_none")]

    assert [(reply.status_code, reply.content) for reply in replies] == [(200, b"")] * 2


async def test_a_hook_that_starts_nothing_is_a_missing_one(acme: Organization) -> None:
    paused, deleted, changed = [await hook(acme.live) for _ in range(3)]
    draft = await hook(acme.live, status="draft")
    await acme.live.call("/v1/workflows/pause", {"id": paused.workflow["id"]})
    await acme.live.call("/v1/workflows/delete", {"id": deleted.workflow["id"]})
    await acme.live.call("/v1/workflows/update", {"id": changed.workflow["id"], "trigger": {"type": "manual"}})

    proven = [await each.call(BODY) for each in (paused, deleted, changed, draft)]
    unproven = [await each.send(BODY) for each in (paused, deleted, changed, draft)]
    unknown = [await draft.call(BODY, path=f"/v1/hooks/{name}") for name in ("hook_none", "wf_1", "%00", "x" * 300)]

    assert {(reply.status_code, reply.text) for reply in [*proven, *unproven, *unknown]} == {(404, unknown[0].text)}
    assert await instances(acme.live) == []


async def test_the_url_and_its_secret_survive_a_change_of_trigger(acme: Organization) -> None:
    caught = await hook(acme.live)
    reference = {"id": caught.workflow["id"]}
    await acme.live.call("/v1/workflows/update", {**reference, "trigger": {"type": "manual"}})
    meanwhile = await acme.live.post("/v1/workflows/get_hook", {"workflow_id": reference["id"]})

    await acme.live.call("/v1/workflows/update", {**reference, **ON_WEBHOOK})

    assert code_of(meanwhile) == (409, "CONFLICT")
    assert (await caught.call(BODY)).status_code == 202


@pytest.mark.parametrize("header", KEYS)
async def test_a_message_that_comes_again_starts_nothing(acme: Organization, header: str) -> None:
    caught = await hook(acme.live)

    first = await caught.started(BODY, {header: "m-1"})
    again = await caught.started("{}", {header: "m-1"})
    another = await caught.started(BODY, {header: "m-2"})

    assert first == again != another
    assert len(await instances(acme.live)) == 2


async def test_without_a_name_each_message_is_another(acme: Organization) -> None:
    caught = await hook(acme.live)

    assert await caught.started(BODY) != await caught.started(BODY)


async def test_the_same_key_of_another_workflow_is_another(acme: Organization) -> None:
    one, other = await hook(acme.live), await hook(acme.live)

    assert await one.started(BODY, {"webhook-id": "m"}) != await other.started(BODY, {"webhook-id": "m"})


@pytest.mark.usefixtures("worker")
async def test_a_hundred_at_once_are_one(acme: Organization) -> None:
    caught = await hook(acme.live, create_contact())

    replies = await asyncio.gather(*(caught.call(BODY, {"webhook-id": "m"}) for _ in range(100)))
    found = {reply.json()["data"]["instance_id"] for reply in replies}
    await ended(acme.live, {"instance_id": found.pop()})

    assert ({reply.status_code for reply in replies}, found) == ({202}, set())
    assert (await acme.live.call("/v1/contacts"))["pagination"]["total"] == 1


@pytest.mark.parametrize("key", ["a b", "ñ".encode("latin-1"), "x" * 256])
async def test_a_key_that_is_none_is_refused(acme: Organization, key: str | bytes) -> None:
    caught = await hook(acme.live)

    reply = await caught.call(BODY, {"Idempotency-Key": key})  # type: ignore[dict-item] # bytes go as they are

    assert code_of(reply) == (400, "VALIDATION_ERROR")


async def test_what_one_run_at_a_time_leaves_no_room_for_is_kept_as_cancelled(acme: Organization) -> None:
    caught = await hook(acme.live, concurrency="one")

    first, second = await caught.started(BODY), await caught.started(BODY)

    found = await instance(acme.live, second)
    assert (found["status"], found["error"]["code"]) == ("cancelled", "WORKFLOW_ALREADY_RUNNING")
    assert (await instance(acme.live, first))["status"] == "running"


async def test_a_body_of_the_wrong_shape_is_refused(acme: Organization) -> None:
    body = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    schema = {"type": "object", "properties": {"body": body}, "required": ["body"]}
    caught = await hook(acme.live, input_schema=schema)

    right, wrong = await caught.call('{"id": 7}'), await caught.call('{"id": "x"}')

    assert (right.status_code, code_of(wrong)) == (202, (400, "VALIDATION_ERROR"))
    assert wrong.json()["error"]["details"]["field"] == "input.body.id"
    assert len(await instances(acme.live)) == 1


async def test_workflows_that_call_each_other_stop(acme: Organization) -> None:
    caught = await hook(acme.live)

    near = await caught.started(BODY, {DEPTH_HEADER: str(MAX_DEPTH)})
    far = await caught.started(BODY, {DEPTH_HEADER: str(MAX_DEPTH + 1)})

    assert (await instance(acme.live, near))["status"] == "running"
    assert ((await instance(acme.live, far))["status"], (await instance(acme.live, far))["error"]["code"]) == (
        "cancelled", "CONFLICT",
    )  # fmt: skip


async def test_a_secret_is_shown_once(acme: Organization) -> None:
    caught = await hook(acme.live)
    await caught.started(BODY)

    shown = await acme.live.call("/v1/workflows/get_hook", {"workflow_id": caught.workflow["id"]})

    assert caught.secret.startswith("whsec_")
    assert caught.secret.removeprefix("whsec_").isalnum(), "it fits into https://user:secret@host"
    assert list(shown) == ["workflow_id", "url", "secret_set_at", "rotation", "created_at", "last_used_at"]
    assert shown["url"] == f"http://127.0.0.1:8000{caught.path}"
    assert (shown["rotation"], shown["last_used_at"] is None) == (None, False)
    assert caught.secret not in str(shown)


async def test_a_workflow_without_the_trigger_has_no_hook(acme: Organization) -> None:
    made = await workflow(acme.live, HELLO)

    for verb in ("get_hook", "rotate_hook_secret"):
        reply = await acme.live.post(f"/v1/workflows/{verb}", {"workflow_id": made["id"]})
        assert code_of(reply) == (409, "CONFLICT")


async def test_both_secrets_count_while_the_grace_lasts(acme: Organization, clock: MovableClock) -> None:
    caught = await hook(acme.live)
    new = await rotated(acme.live, caught.workflow, grace_seconds=3600)
    renewed = Hook(acme.live, caught.workflow, caught.path, new["secret"])
    during = [(await each.call(BODY)).status_code for each in (caught, renewed)]
    early = await acme.live.post("/v1/workflows/rotate_hook_secret", {"workflow_id": caught.workflow["id"]})

    clock.advance(seconds=3601)

    assert (new["rotation"]["seconds_left"], during, code_of(early)) == (3600, [202, 202], (409, "CONFLICT"))
    assert [(await each.call(BODY)).status_code for each in (caught, renewed)] == [401, 202]


async def test_a_rotation_without_grace_ends_the_old_one_at_once(acme: Organization) -> None:
    caught = await hook(acme.live)

    new = await rotated(acme.live, caught.workflow, grace_seconds=0, secret=OWN_SECRET)

    assert (new["secret"], new["rotation"]) == (OWN_SECRET, None)
    assert (await caught.call(BODY)).status_code == 401
    same = {"workflow_id": caught.workflow["id"], "secret": OWN_SECRET}
    assert code_of(await acme.live.post("/v1/workflows/rotate_hook_secret", same)) == (422, "VALIDATION_ERROR")


async def test_the_sandbox_has_its_own(acme: Organization) -> None:
    live, sandbox = await hook(acme.live), await hook(acme.sandbox)

    await sandbox.started(BODY)
    wrong_door = await live.call(BODY, path=f"/sandbox{live.path}")
    right_door = await sandbox.call(BODY, path=f"/sandbox{sandbox.path}")

    assert (len(await instances(acme.sandbox)), len(await instances(acme.live))) == (2, 0)
    assert (code_of(wrong_door), right_door.status_code) == ((403, "AUTH_INSUFFICIENT_SCOPE"), 202)


async def test_calls_count_for_the_organization(acme: Organization, owner: psycopg.Connection) -> None:
    caught = await hook(acme.live)
    owner.execute("delete from rate_windows where org_id = %s", (acme.id,))
    owner.execute("update organizations set requests_per_minute = 2 where id = %s", (acme.id,))

    replies = [await caught.call(BODY) for _ in range(3)]
    unproven = await caught.send(BODY)

    assert [reply.status_code for reply in replies] == [202, 202, 429]
    assert replies[0].headers["x-ratelimit-limit"] == "2"
    assert replies[2].headers["retry-after"].isdigit()
    assert unproven.status_code == 401


async def test_strangers_count_by_their_address(
    acme: Organization, services: Services, monkeypatch: pytest.MonkeyPatch, owner: psycopg.Connection
) -> None:
    caught = await hook(acme.live)
    owner.execute("delete from address_windows")
    monkeypatch.setattr(services.settings, "anonymous_per_minute", 3)

    strangers = [await caught.send(BODY) for _ in range(2)] + [await caught.call(path="/v1/hooks/hook_none")]
    late = [await caught.send(BODY), await caught.send(method="HEAD"), await caught.send(b"x" * 300_000)]
    friend = await caught.call(BODY)
    owner.execute("delete from address_windows")

    assert [reply.status_code for reply in strangers] == [401, 401, 404]
    assert [reply.status_code for reply in late] == [429, 429, 429]
    assert friend.status_code == 202


async def test_the_request_log_has_it(acme: Organization, services: Services) -> None:
    caught = await hook(acme.live)
    reply = await caught.call(BODY, {"Idempotency-Key": "m-1"})
    await services.journal.flush()

    page = await acme.live.call("/v1/requests/list", {"operation": "hooks.receive"})

    [entry] = page["requests"]
    assert (entry["request_id"], entry["status"], entry["path"]) == (
        reply.headers["x-request-id"], 202, caught.path,
    )  # fmt: skip
    assert entry["actor"].startswith("hook:hook_")


@pytest.mark.usefixtures("worker")
async def test_the_secret_is_in_nothing_that_is_kept(
    acme: Organization, clock: MovableClock, installation: Installation, services: Services
) -> None:
    caught = await hook(acme.live, {"id": "all", "set": {"input": "{{ input }}"}})
    new = await rotated(acme.live, caught.workflow)
    secrets = [caught.secret, new["secret"]]

    with capture_logs() as logs:
        for secret in secrets:
            body = json.dumps({"echo": secret, secret: 1}).encode()
            for proof in PROOFS:
                headers = proof(secret, body, int(clock.now().timestamp()))
                key = {"Idempotency-Key": f"{proof.__name__}-{secret[-8:-4]}"}
                run_ = (await caught.send(body, {**headers, **key}, params={"q": secret})).json()["data"]
                assert "••••" in str(await ended(acme.live, run_))
            await caught.send(body, {"Authorization": f"Bearer {secret}x"}, path="/v1/hooks/hook_none")
    await services.journal.flush()
    dumped = dump(installation)

    assert caught.workflow["id"] in dumped
    for kept in (str(logs), dumped):
        assert [form for secret in secrets for form in forms(secret) if form in kept] == []


async def test_it_can_be_executed_by_hand(acme: Organization, worker: None) -> None:
    caught = await hook(acme.live, {"id": "a", "set": {"x": "{{ input.body.id }}"}})

    found = await run(acme.live, caught.workflow, body={"id": 7})

    assert (found["trigger_type"], found["output"]) == ("manual", {"x": 7})
