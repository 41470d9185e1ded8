"""Declaring operations, and running one that calls the outside."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from sqlalchemy.dialects.postgresql import insert

from bivelio_server.events.models import EventSubscription
from bivelio_server.kit.caller import Caller, Environment, Scope
from bivelio_server.kit.context import Context, OutgoingCall, Services
from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused, InternalError
from bivelio_server.kit.execution import Call, execute
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import ALL_DOORS, DIRECT_DOORS, Catalogue, Effect, Feature, Operation
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from tests.world import Organization

pytestmark = pytest.mark.anyio
ORIGIN = Origin(Door.http)

SUMMARY = Text("Envía", "Send")


class Message(Input):
    body: str


class Attempt(Output):
    id: str
    body: str


class Sent(Output):
    id: str
    provider_id: str


def declared(name: str = "messages", verb: str = "send", path: str | None = None) -> Feature:
    feature = Feature(name)

    @feature.operation(verb, path=path, scope=Scope.write, effect=Effect.transactional, summary=SUMMARY)
    async def send(context: Context, data: Message) -> Sent:
        raise NotImplementedError

    return feature


def test_a_declaration_gives_name_path_action_and_models() -> None:
    operation = declared().operations[0]

    assert (operation.name, operation.path, operation.action) == ("messages.send", "/v1/messages/send", "send")
    assert (operation.input, operation.output) == (Message, Sent)
    assert (operation.resource, operation.tool_name) == ("messages", "messages_send")
    assert operation.doors == ALL_DOORS


def test_a_feature_does_not_close_doors_without_a_reason() -> None:
    with pytest.raises(ValueError, match="say why"):
        Feature("keys", doors=DIRECT_DOORS)


def test_a_feature_closes_doors_with_a_reason() -> None:
    assert Feature("keys", doors=DIRECT_DOORS, doors_reason="they are secret").operations == []


def test_a_catalogue_finds_by_name_and_path() -> None:
    catalogue = Catalogue([declared(), declared("invoices", path="/v1/invoices")])

    assert [operation.name for operation in catalogue] == ["messages.send", "invoices.send"]
    assert catalogue.at("/v1/invoices") is catalogue.named("invoices.send")
    assert catalogue.at("/v1/invoices/send") is None
    assert catalogue.named("messages.list") is None


@pytest.mark.parametrize("again", [declared(), declared("other", path="/v1/messages/send")])
def test_a_catalogue_refuses_repeats(again: Feature) -> None:
    with pytest.raises(InternalError):
        Catalogue([declared(), again])


@dataclass
class Outside:
    """A pretended provider, and what it saw while it was called."""

    database: psycopg.Connection
    failure: Exception | None = None
    story: list[str] = field(default_factory=list)
    idempotency_keys: list[str] = field(default_factory=list)

    def operation(self) -> Operation:
        feature = Feature("messages")
        feature.external(
            "send", scope=Scope.write, summary=SUMMARY, prepare=self.prepare, perform=self.perform, record=self.record,
            record_failure=self.record_failure,
        )  # fmt: skip
        return feature.operations[0]

    async def prepare(self, context: Context, data: Message) -> Attempt:
        self.story.append("prepare")
        await note(context, "wh_attempt")
        return Attempt(id="att_1", body=data.body)

    async def perform(self, call: OutgoingCall, attempt: Attempt) -> str:
        self.story.append(f"perform, {self.transactions()} transactions open, noted {self.noted()}")
        self.idempotency_keys.append(call.idempotency_key)
        if self.failure is not None:
            raise self.failure
        return f"provider:{attempt.body}"

    async def record(self, context: Context, attempt: Attempt, outcome: str) -> Sent:
        self.story.append("record")
        await note(context, "wh_sent")
        return Sent(id=attempt.id, provider_id=outcome)

    async def record_failure(self, context: Context, attempt: Attempt, error: IntegrationFailed) -> None:
        self.story.append(f"record_failure {error.status}")
        await note(context, "wh_failed")

    def transactions(self) -> int:
        return one(
            self.database,
            "select count(*) from pg_stat_activity where datname = current_database()"
            " and xact_start is not null and pid <> pg_backend_pid() and usename <> current_user",
        )

    def noted(self) -> list[str]:
        rows = self.database.execute("select subscriber_id from event_subscriptions where kind = 'test' order by 1")
        return [name for (name,) in rows]


@pytest.fixture
def outside(owner: psycopg.Connection) -> Iterator[Outside]:
    yield Outside(owner)
    owner.execute("delete from event_subscriptions where kind = 'test'")


async def test_an_external_operation_is_three_parts_with_no_transaction_in_the_middle(
    outside: Outside, acme: Organization, services: Services
) -> None:
    sent = await execute(Call(outside.operation(), caller_of(acme), Message(body="hola"), services, ORIGIN))

    assert sent == Sent(id="att_1", provider_id="provider:hola")
    assert outside.story == ["prepare", "perform, 0 transactions open, noted ['wh_attempt']", "record"]
    assert outside.noted() == ["wh_attempt", "wh_sent"]


@pytest.mark.parametrize(("failure", "status"), [(IntegrationFailed(), 503), (IntegrationRefused(), 422)])
async def test_a_failed_call_is_recorded_and_told(
    outside: Outside, acme: Organization, services: Services, failure: IntegrationFailed, status: int
) -> None:
    outside.failure = failure

    with pytest.raises(IntegrationFailed) as told:
        await execute(Call(outside.operation(), caller_of(acme), Message(body="hola"), services, ORIGIN))

    assert told.value is failure
    assert told.value.details["retryable"] is (status == 503)
    assert outside.story[2:] == [f"record_failure {status}"]
    assert outside.noted() == ["wh_attempt", "wh_failed"]


async def test_every_call_has_its_own_idempotency_key(outside: Outside, acme: Organization, services: Services) -> None:
    for body in ("uno", "dos"):
        await execute(Call(outside.operation(), caller_of(acme), Message(body=body), services, ORIGIN))

    assert len(set(outside.idempotency_keys)) == 2


def test_an_external_operation_declares_what_the_outside_may_do(owner: psycopg.Connection) -> None:
    operation = Outside(owner).operation()

    assert operation.effect is Effect.external
    assert operation.irreversible
    assert {IntegrationFailed, IntegrationRefused} <= operation.errors


async def test_a_refused_operation_leaves_nothing(acme: Organization, services: Services, outside: Outside) -> None:
    feature = Feature("messages")

    @feature.operation("send", scope=Scope.write, effect=Effect.transactional, summary=SUMMARY)
    async def send(context: Context, data: Message) -> Sent:
        await note(context, "wh_half")
        raise IntegrationRefused

    with pytest.raises(IntegrationRefused):
        await execute(Call(feature.operations[0], caller_of(acme), Message(body="x"), services, ORIGIN))

    assert outside.noted() == []


async def note(context: Context, what: str) -> None:
    """A row, as a trace that a transaction leaves."""
    whose = {**identity(context.caller), "event": "contact.created", "kind": "test"}
    statement = (
        insert(EventSubscription).values(**whose, subscriber_id=what, created_at=context.now).on_conflict_do_nothing()
    )
    await context.session.execute(statement)


def caller_of(organization: Organization) -> Caller:
    user_id = organization.id
    return Caller(organization.id, Environment.live, f"user:{user_id}", user_id, frozenset({"admin"}))


def one(database: psycopg.Connection, query: str) -> Any:
    row = database.execute(query).fetchone()
    assert row is not None
    return row[0]
