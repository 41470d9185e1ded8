"""What the operator does over the owner's connection: makes organisations with owner and keys, lets people in again."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
from pydantic import BaseModel, NonNegativeInt, PositiveInt

from bivelio_server.accounts.api_keys import generate_key
from bivelio_server.accounts.passwords import hash_password
from bivelio_server.accounts.roles import Plan
from bivelio_server.kit.caller import Environment, Scope
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Email, Name
from bivelio_server.kit.versions import VERSIONS

_ALL_SCOPES: Final = [scope.value for scope in Scope]


class ProvisionRequest(BaseModel):
    organization: Name
    plan: Plan | None = None
    email: Email
    password: str
    reset_password: bool = False
    requests_per_minute: PositiveInt | None = None
    requests_per_second: PositiveInt | None = None
    monthly_credits: NonNegativeInt | None = None
    monthly_units: NonNegativeInt | None = None


@dataclass(frozen=True, slots=True)
class ProvisionedKeys:
    live_secret: str
    test_secret: str
    live_publishable: str


@dataclass(frozen=True, slots=True)
class Provisioned:
    organization_id: str
    user_id: str
    keys: ProvisionedKeys

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def provision(owner_url: str, request: ProvisionRequest) -> Provisioned:
    """The organisation of that name and owner, made when missing, with fresh keys.

    The password is that of a new person; one who is known keeps theirs unless `reset_password`. Plan, limits,
    credits and units stay as they are where none are given: for a new organisation `starter`, and what its plan gives.
    """
    with psycopg.connect(owner_url) as connection:
        return provision_over(connection, request, hash_password(request.password))


def provision_over(connection: psycopg.Connection, request: ProvisionRequest, password_hash: str) -> Provisioned:
    """As `provision`, in the open transaction of an owner's connection."""
    now = datetime.now(UTC)
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", (f"provision:{request.email.lower()}",))
    user_id = _user(connection, request, password_hash, now)
    org_id = _organisation(connection, request, user_id, now)
    _set_limits(connection, request, org_id)
    keys = ProvisionedKeys(
        live_secret=_key(connection, org_id, user_id, "secret", Environment.live, now),
        test_secret=_key(connection, org_id, user_id, "secret", Environment.sandbox, now),
        live_publishable=_key(connection, org_id, user_id, "publishable", Environment.live, now),
    )
    return Provisioned(str(org_id), str(user_id), keys)


def reset_second_factor(owner_url: str, email: str) -> bool:
    """Turn off the second factor of whoever has lost it, with its recovery codes. False when nobody has the address."""
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "select drop_second_factor(id) from users where lower(email) = lower(%s)", (email,)
        ).fetchone()
    return found is not None


def _user(connection: psycopg.Connection, request: ProvisionRequest, password_hash: str, now: datetime) -> UUID:
    row = connection.execute(
        "insert into users as u (id, email, password_hash, created_at) values (%s, %s, %s, %s)"
        " on conflict (lower(email)) do update"
        " set password_hash = case when %s then excluded.password_hash else u.password_hash end returning id",
        (uuid4(), request.email, password_hash, now, request.reset_password),
    ).fetchone()
    assert row is not None
    user_id: UUID = row[0]
    return user_id


def _organisation(connection: psycopg.Connection, request: ProvisionRequest, user_id: UUID, now: datetime) -> UUID:
    found = connection.execute(
        "update organizations o set plan = coalesce(%s, o.plan) from members m"
        " where o.name = %s and m.org_id = o.id and m.user_id = %s and m.role = 'owner' and o.deleted_at is null"
        " returning o.id",
        (request.plan, request.organization, user_id),
    ).fetchone()
    if found is not None:
        existing: UUID = found[0]
        return existing
    org_id = uuid4()
    connection.execute(
        "insert into organizations (id, name, plan, created_at) values (%s, %s, %s, %s)",
        (org_id, request.organization, request.plan or "starter", now),
    )
    connection.execute(
        "insert into members (org_id, user_id, role, created_at) values (%s, %s, 'owner', %s)",
        (org_id, user_id, now),
    )
    return org_id


def _set_limits(connection: psycopg.Connection, request: ProvisionRequest, org_id: UUID) -> None:
    connection.execute(
        "update organizations set requests_per_minute = coalesce(%s, requests_per_minute),"
        " requests_per_second = coalesce(%s, requests_per_second), monthly_credits = coalesce(%s, monthly_credits),"
        " monthly_units = coalesce(%s, monthly_units) where id = %s",
        (
            request.requests_per_minute,
            request.requests_per_second,
            request.monthly_credits,
            request.monthly_units,
            org_id,
        ),
    )


def _key(
    connection: psycopg.Connection,
    org_id: UUID,
    user_id: UUID,
    key_type: str,
    environment: Environment,
    now: datetime,
) -> str:
    new = generate_key(key_type, environment)
    scopes = _ALL_SCOPES if key_type == "secret" else [Scope.read.value]
    columns = (
        org_id, new_id("key"), f"{environment.value} {key_type}", key_type, environment.value, scopes, new.digest,
        new.prefix, new.last4, user_id, now, VERSIONS.newest,
    )  # fmt: skip
    connection.execute(
        "insert into api_keys (org_id, id, name, type, environment, scopes, digest, prefix, last4, created_by,"
        " created_at, api_version) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        columns,
    )
    return new.key
