"""Two operations that wait for each other: both succeed in the end, each with its effect once."""

import asyncio
from uuid import uuid4

import psycopg
import pytest

from bivelio_server.contacts import operations as contacts
from bivelio_server.contacts.schemas import ContactCreate
from bivelio_server.kit.caller import Caller, Environment, Scope
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.errors import APIError
from bivelio_server.kit.execution import Call, execute
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import Text
from tests.world import Organization

pytestmark = pytest.mark.anyio

LOCK = "select pg_advisory_xact_lock(hashtext(%(name)s))"


class Names(Input):
    first: str
    second: str


class Done(Output):
    tries: int


async def test_whoever_is_undone_is_done_again(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    both_hold_one, tries = asyncio.Barrier(2), 0
    feature = Feature("meetings")

    @feature.operation("hold", scope=Scope.write, effect=Effect.transactional, summary=Text("Reúne", "Meet"))
    async def hold(context: Context, data: Names) -> Done:
        nonlocal tries
        tries += 1
        await contacts.create(context, ContactCreate(name=data.first))
        await context.session.run(LOCK, {"name": data.first})
        if tries <= 2:
            await both_hold_one.wait()
        await context.session.run(LOCK, {"name": data.second})
        return Done(tries=tries)

    caller = Caller(acme.id, Environment.live, "user:x", uuid4(), frozenset({"write"}))
    a, b = str(uuid4()), str(uuid4())
    calls = [
        Call(feature.operations[0], caller, Names(first=first, second=second), services, Origin(Door.http))
        for first, second in ((a, b), (b, a))
    ]
    await asyncio.gather(*(execute(call) for call in calls))

    assert tries == 3
    made = owner.execute("select count(*) from contacts where org_id = %s and name = any (%s)", (acme.id, [a, b]))
    assert made.fetchall() == [(2,)]


async def test_it_is_not_tried_for_ever(acme: Organization, services: Services) -> None:
    tries = 0
    feature = Feature("meetings")

    @feature.operation("fail", scope=Scope.write, effect=Effect.transactional, summary=Text("Falla", "Fail"))
    async def fail(context: Context, data: Names) -> Done:
        nonlocal tries
        tries += 1
        raise psycopg.errors.DeadlockDetected

    caller = Caller(acme.id, Environment.live, "user:x", uuid4(), frozenset({"write"}))
    call = Call(feature.operations[0], caller, Names(first="a", second="b"), services, Origin(Door.http))
    with pytest.raises(psycopg.errors.DeadlockDetected):
        await execute(call)

    assert tries == 4


async def test_what_is_refused_is_not_tried_again(acme: Organization, services: Services) -> None:
    tries = 0
    feature = Feature("meetings")

    @feature.operation("refuse", scope=Scope.write, effect=Effect.transactional, summary=Text("Rehúsa", "Refuse"))
    async def refuse(context: Context, data: Names) -> Done:
        nonlocal tries
        tries += 1
        raise APIError

    caller = Caller(acme.id, Environment.live, "user:x", uuid4(), frozenset({"write"}))
    call = Call(feature.operations[0], caller, Names(first="a", second="b"), services, Origin(Door.http))
    with pytest.raises(APIError):
        await execute(call)

    assert tries == 1
