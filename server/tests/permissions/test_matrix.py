"""Operation x role x scope x other organisation x other environment, every row from the catalogue.

An operation without a sample fails the suite, so that nothing is offered whose walls nobody has tried.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import httpx2
import psycopg
import pytest

from bivelio_server.accounts.tokens import AccessTokens
from bivelio_server.app import FEATURES
from bivelio_server.installation import Installation
from bivelio_server.kit.caller import Environment, Session
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import PageInput
from bivelio_server.kit.operations import Catalogue, Effect, Operation, Who
from tests.permissions.sample import Sample, Scene, field_of, id_names, id_paths, read, replaced, without
from tests.permissions.samples import SAMPLES
from tests.permissions.tables import rows_of
from tests.world import Client, Organization, Person, World

pytestmark = pytest.mark.anyio

OPERATIONS: Final = list(Catalogue(FEATURES))
SCOPES: Final = ("read", "write", "admin")
#: What a member may do at most, by role.
ROLES: Final = {"viewer": "read", "editor": "write", "admin": "admin", "owner": "admin"}


@dataclass(frozen=True)
class Row:
    """One operation in an organisation of its own, with a stranger next door."""

    operation: Operation
    sample: Sample
    acme: Organization
    rival: Organization

    async def arranged(
        self,
        organization: Organization | None = None,
        environment: Environment | None = None,
        asking: Client | None = None,
    ) -> dict[str, Any]:
        organization = organization or self.acme
        asking = asking or (organization.owner if self.is_for_people else None)
        return await self.sample.arrange(Scene(organization, environment or self.sample.environment, asking))

    @property
    def is_for_people(self) -> bool:
        return self.operation.who is not Who.anyone

    def of(self, organization: Organization) -> Client:
        """A client of all rights there, of the kind that the operation asks for."""
        return organization.owner if self.is_for_people else organization.live

    def key(self, *scopes: str, made_by: UUID | None = None) -> Client:
        """A client with a fresh key for where the operation may be called."""
        return self.acme.key(*scopes, environment=self.sample.environment, made_by=made_by)

    def with_role(self, role: str) -> Client:
        """A client whose rights are those of a member with this role."""
        if self.is_for_people:
            return self.acme.person(role)
        return self.key("admin", made_by=self.acme.member(role))

    async def post(self, client: Client, data: Any) -> httpx2.Response:
        return await client.post(self.operation.path, data, action=self.operation.action)

    def stored(self) -> Any:
        database = self.acme.world.database
        return rows_of(database, self.acme.id), rows_of(database, self.rival.id)

    @property
    def lists(self) -> bool:
        return issubclass(self.operation.input, PageInput)


@pytest.fixture(scope="module", params=OPERATIONS, ids=lambda operation: operation.name)
def lasting_row(request: pytest.FixtureRequest, world: World) -> Row:
    operation: Operation = request.param
    sample = SAMPLES.get(operation.name)
    if sample is None:
        pytest.fail(f"{operation.name} has no sample in tests/permissions/samples")
    return Row(operation, sample, world.organization("Acme"), world.organization("Rival"))


@pytest.fixture
def row(lasting_row: Row, world: World) -> Row:
    ends = lasting_row.sample.ends_organization
    return replace(lasting_row, acme=world.organization("Acme")) if ends else lasting_row


def test_the_suite_serves_as_a_role_that_no_wall_lets_through(installation: Installation) -> None:
    with psycopg.connect(installation.serving_url) as connection:
        privileged = connection.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb,"
            " exists (select from pg_class c where c.relowner = r.oid)"
            " from pg_roles r where rolname = current_user"
        ).fetchone()

    assert privileged == (False, False, False, False, False)


def test_every_sample_is_of_an_operation() -> None:
    assert set(SAMPLES) <= {operation.name for operation in OPERATIONS}


async def test_sample_names_every_id(row: Row) -> None:
    data = await row.arranged()

    named = {field_of(path) for path in id_paths(data, row.sample)} | row.sample.not_ours
    assert id_names(row.operation.input.model_json_schema()) <= named


async def test_owner_may(row: Row) -> None:
    owner = row.with_role("owner")

    reply = await row.post(owner, await row.arranged(asking=owner))

    assert reply.status_code == (409 if row.sample.refused_to_owner else 200), reply.text


async def test_nobody_may_without_credentials(row: Row) -> None:
    data = await row.arranged()
    before = row.stored()

    reply = await row.post(row.acme.world.anonymous, data)

    assert (reply.status_code, code_of(reply)) == (401, "AUTH_INVALID_TOKEN")
    assert row.stored() == before


async def test_nobody_may_with_an_expired_token(row: Row, installation: Installation, clock: MovableClock) -> None:
    data = await row.arranged()
    before = row.stored()
    session = Session(uuid4(), UUID(row.acme.made.user_id), row.acme.id, Environment.live)
    tokens = AccessTokens(installation.secret_key, timedelta(hours=1))
    expired = row.acme.world.bearer(tokens.issue(session, clock.now() - timedelta(hours=2)))

    reply = await row.post(expired, data)

    assert (reply.status_code, code_of(reply)) == (401, "AUTH_EXPIRED_TOKEN")
    assert row.stored() == before


@pytest.mark.parametrize("role", ROLES)
async def test_role(row: Row, role: str) -> None:
    if role == "owner" and row.sample.refused_to_owner:
        return
    is_too_small = row.operation.who is Who.owner and role != "owner"
    await assert_allowed(row, row.with_role(role), None if is_too_small else ROLES[role])


@pytest.mark.parametrize("scope", SCOPES)
async def test_scope(row: Row, scope: str) -> None:
    await assert_allowed(row, row.key(scope), scope)


@pytest.mark.parametrize("scope", SCOPES)
async def test_narrow_scope(row: Row, scope: str) -> None:
    await assert_allowed(
        row, row.key(f"{row.operation.resource}:{scope}"), None if row.sample.reaches_further else scope
    )


async def test_narrow_scope_of_another_resource(row: Row) -> None:
    await assert_allowed(row, row.key("something_else:admin"), None)


async def test_key_of_a_member_who_may_less(row: Row) -> None:
    await assert_allowed(row, row.key("admin", made_by=row.acme.member("viewer")), "read")


async def test_publishable_key_only_reads(row: Row) -> None:
    await assert_allowed(row, row.acme.publishable, "read" if row.sample.environment is Environment.live else None)


async def test_another_organizations_id_is_a_missing_one(row: Row) -> None:
    mine, theirs = await row.arranged(), await row.arranged(row.rival)
    before = row.stored()

    for path in id_paths(mine, row.sample):
        foreign = await row.post(row.of(row.acme), replaced(mine, path, read(theirs, path)))
        absent = await row.post(row.of(row.acme), replaced(mine, path, absent_like(read(mine, path))))
        malformed = await row.post(row.of(row.acme), replaced(mine, path, "no es un id"))

        assert_missing(row, foreign)
        assert outcome(foreign) == outcome(absent) == outcome(malformed)
    assert row.stored() == before


async def test_another_organization_reads_nothing_of_ours(row: Row) -> None:
    mine = await row.arranged()
    if row.operation.effect is not Effect.read:
        return
    ours = [read(mine, path) for path in id_paths(mine, row.sample)]

    reply = await row.post(row.of(row.rival), without(mine, names_of(mine, row.sample)))

    assert not [id_ for id_ in ours if id_ in reply.text]


async def test_a_sandbox_credential_leaves_organization_and_people_alone(row: Row) -> None:
    if not row.operation.live_only:
        return
    data = await row.arranged()
    before = row.stored()
    sandbox = row.acme.signed_in(row.acme.owner_id, Environment.sandbox) if row.is_for_people else row.acme.sandbox

    reply = await row.post(sandbox, data)

    assert (reply.status_code, code_of(reply)) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert row.stored() == before


async def test_live_ids_do_not_exist_in_the_sandbox(row: Row) -> None:
    if row.operation.live_only or row.is_for_people:
        return
    live, in_sandbox = await row.arranged(), await row.arranged(environment=Environment.sandbox)
    before = row.stored()

    for path in id_paths(live, row.sample):
        reply = await row.post(row.acme.sandbox, replaced(in_sandbox, path, read(live, path)))

        assert_missing(row, reply)
    assert row.stored() == before


async def test_sandbox_ids_do_not_exist_live(row: Row) -> None:
    if row.sample.of_organization or row.operation.live_only or row.is_for_people:
        return
    live, in_sandbox = await row.arranged(), await row.arranged(environment=Environment.sandbox)
    before = row.stored()

    for path in id_paths(live, row.sample):
        reply = await row.post(row.acme.live, replaced(live, path, read(in_sandbox, path)))

        assert_missing(row, reply)
    assert row.stored() == before


async def assert_allowed(row: Row, client: Client, held: str | None) -> None:
    """Allowed when `held`, one of the wide scopes, is as wide as the declared one; else 403 and nothing changed."""
    if row.is_for_people and not isinstance(client, Person):
        held = None
    data = await row.arranged(asking=client)
    before = row.stored()
    reply = await row.post(client, data)
    needed = None if isinstance(client, Person) else row.sample.keys_need
    if held is not None and SCOPES.index(held) >= SCOPES.index(needed or row.operation.scope.value):
        assert reply.status_code == 200, reply.text
        return
    assert (reply.status_code, code_of(reply)) == (403, "AUTH_INSUFFICIENT_SCOPE")
    assert row.stored() == before


def assert_missing(row: Row, reply: httpx2.Response) -> None:
    """404; a list may also be empty."""
    if row.lists and reply.status_code == 200:
        assert reply.json()["data"]["pagination"]["total"] == 0
        return
    assert (reply.status_code, code_of(reply)) == (404, "RESOURCE_NOT_FOUND"), reply.text


def outcome(reply: httpx2.Response) -> Any:
    return reply.status_code, reply.json()


def code_of(reply: httpx2.Response) -> Any:
    return reply.json().get("error", {}).get("code")


def names_of(data: dict[str, Any], sample: Sample) -> frozenset[str]:
    return frozenset(field_of(path) for path in id_paths(data, sample))


def absent_like(id_: str) -> str:
    """An id of the same kind that nobody has."""
    prefix = id_.rpartition("_")[0]
    return new_id(prefix) if prefix else str(uuid4())
