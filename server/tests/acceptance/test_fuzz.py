"""Any request that the OpenAPI document allows, and many that it forbids, get a reply that it describes.

`BIVELIO_FUZZ_EXAMPLES` is the number of generated requests for each operation.
"""

import base64
import json
import os
import re
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from uuid import uuid4

import anyio
import httpx2
import psycopg
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bivelio_server.app import FEATURES, openapi_document
from bivelio_server.kit.idempotency import HEADER
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.operations import Catalogue, Who
from tests.acceptance.conftest import Template
from tests.acceptance.installation import EMAIL, PASSWORD, Process, fresh_installation
from tests.acceptance.receiver import GONE, receiver

EXAMPLES = int(os.environ.get("BIVELIO_FUZZ_EXAMPLES", "25"))
LEAST_SHARE_OF_SUCCESSES = 0.02
#: What may have ended by itself before it is asked for.
ENDED_ALREADY = {"/v1/jobs/cancel": 409, "/v1/boxes/files/retry": 409}
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

AGENT = {"name": "Known", "model": None, "instructions": "Help.", "output_schema": None, "labels": [], "tools": []}
WAITING_EXECUTION = """
    insert into agent_executions
        (org_id, environment, id, agent_id, agent_name, agent_version, status, input, trace, usage, tokens_used,
         credits_consumed, duration_ms, invoked_by, door, depth, started_at)
    select o.id, 'live', %(execution)s, %(agent)s, 'Known', 1, 'waiting_approval', '{}', '[]',
           '{"prompt": 0, "output": 0, "cached": 0, "thought": 0}', 0, 1, 1, 'system:test', 'http', 0, now()
      from organizations o
"""
AGENTS_APPROVAL = """
    insert into agent_approvals
        (org_id, environment, id, execution_id, agent_id, agent_name, operation, arguments, status, created_at)
    select o.id, 'live', %(id)s, %(execution)s, %(agent)s, 'Known', 'contacts.erase', %(arguments)s, 'pending', now()
      from organizations o
"""
_DOCUMENT = base64.b64encode(b'<?xml version="1.0"?><note>Factura FAC-2026-001</note>').decode()
_FILE = base64.b64encode(b"name\nMaria").decode()


def without_recursion(document: dict[str, Any]) -> dict[str, Any]:
    """Steps within steps are left empty, or `set`: to build data for a tree without end takes minutes."""
    schemas = document["components"]["schemas"]
    schemas["Steps"] = {"type": "array", "maxItems": 0}
    for kind in ("ForEachStep", "WhileStep"):
        steps = {"type": "array", "minItems": 1, "maxItems": 3, "items": {"$ref": "#/components/schemas/SetStep"}}
        schemas[kind]["properties"]["steps"] = steps
    return document


DOCUMENT = without_recursion(openapi_document(Catalogue(FEATURES), "http://127.0.0.1:8000"))
#: What leaves nobody to ask any further, or needs a phone, a provider or a model of its own: told as stories instead.
STORIES = (
    "/v1/(organization/delete|auth/oidc/.*|jobs/files/.*|documents/files/.*|hooks/.*"
    "|account/(sign_out|leave_organization|confirm_second_factor|disable_second_factor|new_recovery_codes))"
)
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
PATHS = [path for path in DOCUMENT["paths"] if not re.search(STORIES, path)]
FOR_PEOPLE = {operation.path for operation in Catalogue(FEATURES) if operation.who is not Who.anyone}
PUBLIC = "/api/public/"
READING = {operation.path for operation in Catalogue(FEATURES) if not operation.writes}


@dataclass(frozen=True)
class Target:
    """A server, the owner's keys, and for each path data that makes its operation succeed."""

    server: Process
    keys: dict[str, str]
    known: "Known"
    session: requests.Session


class Known:
    """Resources that exist, made for the operation that is about to be asked."""

    def __init__(self, http: httpx2.Client, anonymous: httpx2.Client, url: str, database: str) -> None:
        self._http = http
        self._anonymous = anonymous
        self._url = url
        self._database = database
        self._kept: dict[str, dict[str, Any]] = {}
        workflow, webhook = self._make_workflow(), self._make_webhook()
        notice, agent = self._make_notice(), self._make("agents", **AGENT)["id"]
        self._eraser = self._make("agents", **{**AGENT, "tools": [{"operation": "contacts.erase"}]})["id"]
        document, extraction = self._make_document(), self._make_extraction()
        self.person = {"Authorization": f"Bearer {self._sign_in()}"}
        account, member, box = self._ask_in_person("account/get"), self._make_member(), self._make_box()
        self.box = box
        self._data: dict[str, Callable[[], dict[str, Any]]] = {
            "/v1/auth/token": lambda: {"email": EMAIL, "password": PASSWORD},
            "/v1/auth/invitations/accept": lambda: {"token": self._invite()["token"], "password": PASSWORD},
            "/v1/members/update": lambda: {"user_id": member},
            "/v1/members/remove": lambda: {"user_id": self._make_member()},
            "/v1/members/revoke_invitation": lambda: {"invitation_id": self._invite()["invitation_id"]},
            "/v1/organization/switch": lambda: {"organization_id": account["organization_id"]},
            "/v1/organization/transfer": lambda: {"user_id": account["user_id"]},
            "/v1/account/change_password": lambda: {"current_password": PASSWORD, "new_password": PASSWORD},
            "/v1/account/begin_second_factor": lambda: {"password": PASSWORD},
            "/v1/account/revoke_session": lambda: {"session_id": self._other_session()},
            "/v1/contacts/get": lambda: {"id": self._make_contact()},
            "/v1/contacts/update": lambda: {"id": self._make_contact()},
            "/v1/contacts/delete": lambda: {"id": self._make_contact()},
            "/v1/contacts/restore": lambda: {"id": self._call("contacts/delete", id=self._make_contact())["id"]},
            "/v1/contacts/erase": lambda: {"id": self._make_contact()},
            "/v1/contacts/history": lambda: {"id": self._make_contact()},
            "/v1/contacts/import": lambda: {"content_base64": _FILE, "mapping": {"name": "name"}, "match": "none"},
            "/v1/contacts/bulk_tag": lambda: {"ids": [self._make_contact()], "filter": None, "add": ["known"]},
            "/v1/contacts/bulk_delete": lambda: {"ids": [self._make_contact()], "filter": None},
            "/v1/agents/get": lambda: {"id": agent},
            "/v1/agents/create": lambda: AGENT,
            "/v1/agents/update": lambda: {"id": agent, **AGENT},
            "/v1/agents/activate": lambda: {"id": agent},
            "/v1/agents/pause": lambda: {"id": self._make_agent()},
            "/v1/agents/delete": lambda: {"id": self._make_agent()},
            "/v1/agents/restore": lambda: {"id": self._call("agents/delete", id=self._make_agent())["id"]},
            "/v1/agents/invoke": lambda: {"agent_id": "ag_classifier_01", "input": {"text": "Hola", "context": {}}},
            "/v1/agents/decide": lambda: {"approval_id": self._make_agents_approval()},
            "/v1/agents/get_execution": lambda: {"execution_id": self._make_execution()},
            "/v1/documents/upload": lambda: {"filename": "known.xml", "content_base64": _DOCUMENT},
            "/v1/documents/get": lambda: {"document_id": document},
            "/v1/documents/update": lambda: {"document_id": document},
            "/v1/documents/process": lambda: {"document_id": self._make_document(), "auto_extract": True},
            "/v1/documents/delete": lambda: {"document_id": self._make_document()},
            "/v1/documents/restore": lambda: {
                "document_id": self._call("documents/delete", document_id=self._make_document())["document_id"]
            },
            "/v1/documents/erase": lambda: {"document_id": self._make_document()},
            "/v1/documents/extract": lambda: {
                "document_id": document,
                "document_url": None,
                "json_schema": None,
                "fields": None,
            },
            "/v1/documents/classify": lambda: {"document_id": document, "document_url": None},
            "/v1/documents/list_extractions": lambda: {"document_id": document},
            "/v1/documents/get_extraction": lambda: {"extraction_id": extraction},
            "/v1/documents/review": lambda: {"extraction_id": extraction, "corrections": []},
            "/v1/boxes/get": lambda: {"box_id": box},
            "/v1/boxes/update": lambda: {"box_id": box},
            "/v1/boxes/delete": lambda: {"box_id": self._make_box()},
            "/v1/boxes/restore": lambda: {"box_id": self._call("boxes/delete", box_id=self._make_box())["id"]},
            "/v1/boxes/erase": lambda: {"box_id": self._make_box()},
            "/v1/boxes/search": lambda: {"box_id": box},
            "/v1/boxes/members/set": lambda: {"box_id": box, "email": EMAIL, "role": "owner"},
            "/v1/boxes/members/list": lambda: {"box_id": box},
            "/v1/boxes/members/remove": lambda: self._make_box_member(box),
            "/v1/boxes/members/leave": lambda: {"box_id": self._make_box_member(self._make_box())["box_id"]},
            "/v1/boxes/files/add": lambda: {
                "box_id": box,
                "filename": "known.xml",
                "content_base64": _DOCUMENT,
                "document_id": None,
            },
            "/v1/boxes/files/list": lambda: {"box_id": box},
            "/v1/boxes/files/get": lambda: self._make_box_file(box),
            "/v1/boxes/files/replace": lambda: {
                **self._make_box_file(box),
                "content_base64": _DOCUMENT,
                "document_id": None,
            },
            "/v1/boxes/files/delete": lambda: self._make_box_file(box),
            "/v1/boxes/files/restore": lambda: self._delete_box_file(self._make_box_file(box)),
            "/v1/boxes/files/retry": lambda: self._make_box_file(box),
            "/v1/boxes/files/erase": lambda: self._make_box_file(box),
            "/v1/jobs/get": lambda: {"id": self._make_job()},
            "/v1/jobs/cancel": lambda: {"id": self._make_job()},
            "/v1/workflows/get": lambda: {"id": workflow},
            "/v1/workflows/update": lambda: {"id": workflow},
            "/v1/workflows/activate": lambda: {"id": workflow},
            "/v1/workflows/pause": lambda: {"id": workflow},
            "/v1/workflows/delete": lambda: {"id": self._make_workflow()},
            "/v1/workflows/restore": lambda: {"id": self._call("workflows/delete", id=self._make_workflow())["id"]},
            "/v1/workflows/list_versions": lambda: {"id": workflow},
            "/v1/workflows/get_version": lambda: {"id": workflow, "version": 1},
            "/v1/workflows/compare_versions": lambda: {"id": workflow, "from": 1, "to": 1},
            "/v1/workflows/restore_version": lambda: {"id": workflow, "version": 1},
            "/v1/workflows/export": lambda: {"id": workflow},
            "/v1/workflows/get_template": lambda: {"id": "welcome_client"},
            "/v1/workflows/create_from_template": lambda: {"template_id": "welcome_client"},
            "/v1/workflows/get_hook": lambda: {"workflow_id": self._make_hook()},
            "/v1/workflows/rotate_hook_secret": lambda: {"workflow_id": self._make_hook()},
            "/v1/workflows/delete_secret": lambda: {"name": self._make_secret()},
            "/v1/workflows/execute": lambda: {"workflow_id": self._make_workflow()},
            "/v1/workflows/get_instance": lambda: {"instance_id": self._make_run()},
            "/v1/workflows/watch_instance": lambda: {"instance_id": self._make_run()},
            "/v1/workflows/get_approval": lambda: {"approval_id": self._make_approval()},
            "/v1/workflows/decide": lambda: {"approval_id": self._make_approval()},
            "/v1/workflows/cancel_instance": lambda: {"instance_id": self._make_waiting_run()},
            "/v1/workflows/pause_instance": lambda: {"instance_id": self._make_waiting_run()},
            "/v1/workflows/resume_instance": lambda: {"instance_id": self._make_waiting_run()},
            "/v1/workflows/retry_instance": lambda: {
                "instance_id": self._cancel(self._make_waiting_run()),
                "from_step": None,
                "version": "same",
            },
            "/v1/workflows/rerun_instance": lambda: {"instance_id": self._make_run()},
            "/v1/workflows/cancel_instances": lambda: {"ids": [self._make_waiting_run()], "filter": None},
            "/v1/workflows/retry_instances": lambda: {"ids": [self._make_run()], "filter": None, "version": "same"},
            "/v1/workflows/get_output": lambda: {"instance_id": self._make_run()},
            "/v1/webhooks/get": lambda: {"webhook_id": webhook},
            "/v1/webhooks/update": lambda: {"webhook_id": webhook},
            "/v1/webhooks/test": lambda: {"webhook_id": webhook},
            "/v1/webhooks/delete": lambda: {"webhook_id": self._make_webhook()},
            "/v1/webhooks/restore": lambda: self._delete_webhook(self._make_webhook()),
            "/v1/webhooks/rotate_secret": lambda: {"webhook_id": self._make_webhook()},
            "/v1/webhooks/list_deliveries": lambda: {"webhook_id": webhook},
            "/v1/webhooks/get_delivery": lambda: {"delivery_id": self._make_delivery()},
            "/v1/webhooks/resend": lambda: {"delivery_id": self._make_delivery()},
            "/v1/webhooks/recover": lambda: {"webhook_id": self._make_webhook(), "since": "2026-01-01T00:00:00Z"},
            "/v1/notices/read": lambda: {"id": notice},
            "/v1/requests/get": lambda: {"request_id": self._ask()},
            "/v1/keys/get": lambda: {"id": self._make_key()},
            "/v1/keys/usage": lambda: {"id": self._make_key()},
            "/v1/keys/update": lambda: {"id": self._make_key()},
            "/v1/keys/rotate": lambda: {"id": self._make_key()},
            "/v1/keys/revoke": lambda: {"id": self._make_key()},
            "/v1/boxes/keys/revoke": lambda: {"id": self._make("boxes/keys", name="Known")["id"]},
        }

    def data_for(self, path: str) -> dict[str, Any]:
        if path not in self._kept:
            self._kept[path] = self._data.get(path, dict)()
        return self._kept[path]

    def key_of_boxes(self) -> dict[str, str]:
        """A fresh one, as each may ask a hundred times a minute."""
        return {"Authorization": f"Bearer {self._make('boxes/keys', name='Known')['key']}"}

    def note(self, path: str, status: int) -> None:
        """What was made for an operation is good for its next request too, unless this one may have changed it."""
        if path not in READING and status != 400:
            self._kept.pop(path, None)

    def within_reach(self, data: dict[str, Any]) -> dict[str, Any]:
        """The same data, but no webhook leaves this machine."""
        return {**data, "url": self._url} if str(data.get("url", "")).startswith("http") else data

    def _sign_in(self) -> str:
        reply = self._http.post("/v1/auth/token?grant_type=password", json={"email": EMAIL, "password": PASSWORD})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["access_token"])

    def _ask_in_person(self, operation: str, **data: Any) -> Any:
        reply = self._anonymous.post(f"/v1/{operation}", json={"data": data}, headers=self.person)
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]

    def _invite(self) -> Any:
        return self._call("members/invite", email=f"{uuid4().hex}@example.com", role="viewer")

    def _make_member(self) -> str:
        answer = {"token": self._invite()["token"], "password": PASSWORD}
        reply = self._anonymous.post("/v1/auth/invitations/accept", json=answer)
        assert reply.status_code == 200, reply.text
        return str(reply.json()["user"]["id"])

    def _other_session(self) -> str:
        account = self._ask_in_person("account/get")
        self._ask_in_person("organization/switch", organization_id=account["organization_id"])
        sessions = self._ask_in_person("account/list_sessions")["sessions"]
        return next(str(session["id"]) for session in sessions if not session["current"])

    def _ask(self) -> str:
        return self._http.post("/v1/contacts").headers["x-request-id"]

    def _make_contact(self) -> str:
        return str(self._make("contacts", name="Known")["id"])

    def _make_agent(self) -> str:
        """Generated ones make place, as their number is limited."""
        page = self._call("agents/list", per_page=100)
        if page["pagination"]["total"] > 110:  # the oldest, which are used again, are not on it
            for agent in page["agents"][50:]:
                self._call("agents/delete", id=agent["id"])
        return str(self._make("agents", **AGENT)["id"])

    def _make_execution(self) -> str:
        """One that completes, or fails where there is no model."""
        data = {"agent_id": "ag_classifier_01", "input": {"text": "Hola"}}
        reply = self._http.post("/v1/agents/invoke", json={"data": data}).json()
        return str((reply["data"] if reply["success"] else reply["error"]["details"])["execution_id"])

    def _make_agents_approval(self) -> str:
        """As an execution asks for it whose model wants to erase a contact; there is no model here."""
        values = {
            "id": new_id("agp"), "execution": new_id("age"), "agent": self._eraser,
            "arguments": json.dumps({"id": self._make_contact()}),
        }  # fmt: skip
        with psycopg.connect(self._database, autocommit=True) as database:
            database.execute(WAITING_EXECUTION, values)
            database.execute(AGENTS_APPROVAL, values)
        return str(values["id"])

    def _make_document(self) -> str:
        return str(self._call("documents/upload", filename="known.xml", content_base64=_DOCUMENT)["document_id"])

    def _make_box(self) -> str:
        return str(self._make("boxes", name="Known")["id"])

    def _make_box_member(self, box: str) -> dict[str, Any]:
        """Another owner, so that either may go."""
        member = self._make_member()
        people = self._call("members/list", per_page=100)["members"]
        email = next(str(person["email"]) for person in people if person["user_id"] == member)
        self._call("boxes/members/set", box_id=box, email=email, role="owner")
        return {"box_id": box, "email": email}

    def _make_box_file(self, box: str) -> dict[str, Any]:
        made = self._call("boxes/files/add", box_id=box, filename="known.xml", content_base64=_DOCUMENT)
        return {"box_id": box, "file_id": str(made["id"])}

    def _delete_box_file(self, data: dict[str, Any]) -> dict[str, Any]:
        self._call("boxes/files/delete", **data)
        return data

    def _make_extraction(self) -> str:
        made = self._call("documents/extract", document_id=self._make_document(), document_type="invoice")
        return str(made["extraction_id"])

    def _make_job(self) -> str:
        return str(self._call("contacts/export")["job_id"])

    def _make_workflow(self) -> str:
        return str(self._make("workflows", name="Known", steps=[{"id": "made", "set": {"a": 1}}])["id"])

    def _make_hook(self) -> str:
        steps = [{"id": "made", "set": {"a": 1}}]
        return str(self._make("workflows", name="Known", trigger={"type": "webhook"}, steps=steps)["id"])

    def _make_secret(self) -> str:
        return str(self._call("workflows/set_secret", name="KNOWN", value="a secret value")["name"])

    def _make_waiting_run(self) -> str:
        steps = [{"id": "pause", "wait": {"seconds": 3600}}]
        workflow = self._make("workflows", name="Known", steps=steps)["id"]
        return str(self._call("workflows/execute", workflow_id=workflow)["instance_id"])

    def _cancel(self, run: str) -> str:
        return str(self._call("workflows/cancel_instance", instance_id=run)["instance_id"])

    def _make_run(self) -> str:
        return str(self._call("workflows/execute", workflow_id=self._make_workflow())["instance_id"])

    def _make_approval(self) -> str:
        """One that waits, once its run has asked for it."""
        step = {"id": "asked", "approval": {"title": "Known"}}
        run = self._call("workflows/execute", workflow_id=self._make("workflows", name="Known", steps=[step])["id"])
        deadline = time.monotonic() + 30
        while not (found := self._call("workflows/list_approvals", instance_id=run["instance_id"])["approvals"]):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return str(found[0]["approval_id"])

    def _make_key(self) -> str:
        return str(self._make("keys", name="Known")["id"])

    def _make_webhook(self, event: str = "workflow.failed") -> str:
        """Generated ones make place, as their number is limited."""
        for webhook in self._call("webhooks/list", per_page=100)["webhooks"][:-1]:
            self._delete_webhook(webhook["webhook_id"])
        return str(self._make("webhooks", url=self._url, events=[event])["webhook_id"])

    def _make_delivery(self) -> str:
        webhook = self._make_webhook("contact.created")
        self._make_contact()
        return str(self._call("webhooks/list_deliveries", webhook_id=webhook)["deliveries"][0]["delivery_id"])

    def _make_notice(self) -> str:
        """An endpoint that is gone tells of itself."""
        webhook = self._make("webhooks", url=self._url + GONE, events=["contact.created"])
        self._make_contact()
        deadline = time.monotonic() + 30
        while not (notices := self._call("notices/list")["notices"]):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self._delete_webhook(webhook["webhook_id"])
        return str(notices[0]["id"])

    def _delete_webhook(self, webhook_id: str) -> dict[str, Any]:
        return {"webhook_id": self._call("webhooks/delete", webhook_id=webhook_id)["webhook_id"]}

    def _make(self, resource: str, **data: Any) -> Any:
        return self._call(f"{resource}/create", **data)

    def _call(self, operation: str, **data: Any) -> Any:
        reply = self._http.post(f"/v1/{operation}", json={"data": data})
        assert reply.status_code == 200, reply.text
        return reply.json()["data"]


@pytest.fixture(scope="module")
def target(template: Template) -> Iterator[Target]:
    with ExitStack() as stack:
        place = stack.enter_context(fresh_installation(template.data))
        _, url = stack.enter_context(receiver())
        server = place.start_server()
        anyio.run(server.ready)
        http = stack.enter_context(httpx2.Client(base_url=server.address, headers={"X-API-Key": template.live_key}))
        anonymous = stack.enter_context(httpx2.Client(base_url=server.address))
        keys = {"live": template.live_key, "sandbox": template.test_key}
        known = Known(http, anonymous, url, place.database())
        yield Target(server, keys, known, stack.enter_context(_session()))


def _session() -> requests.Session:
    """Keeps connections and nothing else."""
    session = requests.Session()
    session.headers.clear()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


@pytest.fixture
def replies() -> Iterator[Counter[int]]:
    """The replies to valid requests, by status; a fair share of them must tell of success."""
    counts: Counter[int] = Counter()
    yield counts
    enough = max(1, LEAST_SHARE_OF_SUCCESSES * (counts.total() - counts[429]))
    assert counts[200] >= enough, f"too few succeed, does `Known` know this operation? {counts}"


@pytest.mark.parametrize("path", PATHS)
def test_every_reply_is_as_documented(path: str, target: Target, replies: Counter[int]) -> None:
    """The requests are made here, as it takes half a second for each path: `schema.parametrize` does so when tests are
    collected, in every process that runs some, and `schemathesis.pytest.from_fixture` fails with this pytest."""
    load_all_checks()
    for operation in SCHEMA.include(path=path).get_all_operations():
        asked = build_operation_test(
            config=SCHEMA.config, operation=operation.ok(), test_func=_ask, given_kwargs={},
            feedback=FeedbackSources(),
        )  # fmt: skip
        asked(target=target, replies=replies)


@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def _ask(case: schemathesis.Case[Any], target: Target, replies: Counter[int]) -> None:
    _make_possible(case, target.known)
    asking = _asking(case.operation.path, target)
    reply = case.call(base_url=target.server.address, session=target.session, headers=asking)
    target.known.note(case.operation.path, reply.status_code)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        replies[200 if reply.status_code == ENDED_ALREADY.get(case.operation.path) else reply.status_code] += 1
    case.validate_response(reply, checks=CHECKS)


def _asking(path: str, target: Target) -> dict[str, str]:
    if path.startswith(PUBLIC):
        return target.known.key_of_boxes()
    if path in FOR_PEOPLE:
        return target.known.person
    return {"X-API-Key": target.keys["sandbox" if path.startswith("/v1/sandbox/") else "live"]}


def _is_acceptable(key: object) -> bool:
    return isinstance(key, str) and key.isascii() and key.isprintable() and " " not in key and 0 < len(key) < 256


def _make_possible(case: schemathesis.Case[Any], known: Known) -> None:
    """Half of the requests name a resource that exists, and nothing that only some states of it allow."""
    if case.headers and _is_acceptable(case.headers.get(HEADER)):
        case.headers[HEADER] = uuid4().hex  # a key is used for one request only
    body = case.body
    if case.path_parameters and zlib.crc32(repr(body).encode()) % 2 == 0:
        case.path_parameters |= {"box": known.box} if "box" in case.path_parameters else {}
    if not isinstance(body, dict):
        return
    is_enveloped = "data" in body
    data = body["data"] if is_enveloped else body
    if not isinstance(data, dict):
        return
    data = known.within_reach(data)
    if zlib.crc32(json.dumps(body, sort_keys=True, default=str).encode()) % 2 == 0:
        given = {name: value for name, value in data.items() if value is not None and name != "if_version"}
        data = given | known.data_for(case.operation.path)
    case.body = {**body, "data": data} if is_enveloped else data
