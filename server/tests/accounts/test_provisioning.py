"""Making an organisation, from code and from the command line."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from bivelio_server.accounts.provisioning import ProvisionRequest, provision
from bivelio_server.installation import Installation
from tests.world import World

pytestmark = pytest.mark.anyio


def request_for(email: str, **changes: Any) -> ProvisionRequest:
    asked = {"organization": "Gestoría Peña", "plan": "starter", "email": email, "password": "secreta", **changes}
    return ProvisionRequest.model_validate(asked)


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.com"


async def test_makes_organization_owner_and_working_keys(
    installation: Installation, world: World, owner: psycopg.Connection, email: str
) -> None:
    made = provision(installation.owner_url, request_for(email))

    row = owner.execute(
        "select o.name, o.plan, o.timezone, o.currency, m.role, u.email from organizations o"
        " join members m on m.org_id = o.id join users u on u.id = m.user_id where o.id = %s",
        (made.organization_id,),
    ).fetchone()
    assert row == ("Gestoría Peña", "starter", "Europe/Madrid", "EUR", "owner", email)
    for key in asdict(made.keys).values():
        assert (await world.client(key).post("/v1/contacts")).status_code == 200


async def test_again_it_is_the_same_organization_with_more_keys(
    installation: Installation, world: World, email: str
) -> None:
    first = provision(installation.owner_url, request_for(email))

    second = provision(installation.owner_url, request_for(email.upper(), password="nueva", plan="pro"))

    assert (second.organization_id, second.user_id) == (first.organization_id, first.user_id)
    assert set(asdict(second.keys).values()).isdisjoint(asdict(first.keys).values())
    for made in (first, second):
        assert (await world.client(made.keys.live_secret).post("/v1/contacts")).status_code == 200


async def test_a_known_person_keeps_their_password(installation: Installation, world: World, email: str) -> None:
    provision(installation.owner_url, request_for(email))

    provision(installation.owner_url, request_for(email, organization="Otra S.L.", password="nueva"))

    assert await status_of_sign_in(world.http, email, "secreta") == 200
    assert await status_of_sign_in(world.http, email, "nueva") == 401


async def test_the_operator_may_reset_a_password(installation: Installation, world: World, email: str) -> None:
    provision(installation.owner_url, request_for(email))

    provision(installation.owner_url, request_for(email, password="nueva", reset_password=True))

    assert await status_of_sign_in(world.http, email, "secreta") == 401
    assert await status_of_sign_in(world.http, email, "nueva") == 200


def test_one_owner_may_have_several_organizations(installation: Installation, email: str) -> None:
    one = provision(installation.owner_url, request_for(email))
    other = provision(installation.owner_url, request_for(email, organization="Otra S.L."))

    assert one.user_id == other.user_id
    assert one.organization_id != other.organization_id


def test_the_same_name_of_another_owner_is_another_organization(installation: Installation, email: str) -> None:
    mine = provision(installation.owner_url, request_for(email))
    theirs = provision(installation.owner_url, request_for(f"other-{email}"))

    assert mine.organization_id != theirs.organization_id


def test_the_command_makes_it_and_makes_it_again(tmp_path: Path) -> None:
    first, second = (run_provision(tmp_path) for _ in range(2))

    assert first["organization_id"] == second["organization_id"]
    assert first["user_id"] == second["user_id"]
    assert first["keys"] != second["keys"]
    assert {name: key[:11] for name, key in first["keys"].items()} == {
        "live_secret": "bv_live_sk_",
        "test_secret": "bv_test_sk_",
        "live_publishable": "bv_live_pk_",
    }


def test_the_command_says_what_is_wrong_in_one_line(tmp_path: Path) -> None:
    refused = bivelio("provision", "--data-dir", str(tmp_path), *OPTIONS, "--email", "nobody")

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert len(refused.stderr.strip().splitlines()) == 1
    assert "email" in refused.stderr
    assert not list(tmp_path.iterdir())


OPTIONS = ("--organization", "Gestoría Peña", "--plan", "pro", "--password", "secreta")


def run_provision(data_dir: Path) -> dict[str, Any]:
    """What the command prints: one line of JSON."""
    done = bivelio("provision", "--data-dir", str(data_dir), *OPTIONS, "--email", "ana@example.com")
    assert done.returncode == 0, done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def bivelio(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bivelio_server", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


async def status_of_sign_in(http: httpx2.AsyncClient, email: str, password: str) -> int:
    reply = await http.post("/v1/auth/token?grant_type=password", json={"email": email, "password": password})
    return reply.status_code
