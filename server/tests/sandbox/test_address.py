"""The sandbox's own address takes sandbox credentials only; what is live is refused there, and changes nothing."""

from typing import Any, Final

import httpx2
import pytest

from bivelio_server.app import FEATURES
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.operations import Catalogue, Operation, Who
from tests.permissions.sample import Scene
from tests.permissions.samples import SAMPLES
from tests.permissions.tables import rows_of
from tests.world import PASSWORD, Client, Organization

pytestmark = pytest.mark.anyio

OPERATIONS: Final = list(Catalogue(FEATURES))
TOKEN: Final = "/v1/auth/token?grant_type="
PREFIX: Final[dict[str, Any]] = {"prefix": "/sandbox"}
HOST: Final[dict[str, Any]] = {"host": "Sandbox.api.example.com:8443"}


async def post(client: Client, address: dict[str, Any], path: str, data: Any) -> httpx2.Response:
    headers = {**client.headers, **({"Host": address["host"]} if "host" in address else {})}
    return await client.http.post(address.get("prefix", "") + path, json=data, headers=headers)


def refused(reply: httpx2.Response) -> bool:
    return (reply.status_code, reply.json()["error"]["code"]) == (403, "AUTH_INSUFFICIENT_SCOPE")


@pytest.fixture(params=[PREFIX, HOST], ids=["prefix", "host"])
def address(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_no_live_credential_passes_and_every_sandbox_key_does(acme: Organization, operation: Operation) -> None:
    sample, database = SAMPLES[operation.name], acme.world.database
    is_for_people = operation.who is not Who.anyone
    live = acme.owner if is_for_people else acme.live
    data = await sample.arrange(Scene(acme, sample.environment, live))
    before = rows_of(database, acme.id)

    refusals = [await post(live, there, operation.path, {"data": data}) for there in (PREFIX, HOST)]

    assert all(refused(reply) for reply in refusals)
    assert rows_of(database, acme.id) == before
    for there in () if operation.live_only or is_for_people else (PREFIX, HOST):
        data = await sample.arrange(Scene(acme, Environment.sandbox))
        reply = await post(acme.sandbox, there, operation.path, {"data": data})
        assert reply.status_code == 200, reply.text


async def test_the_refusal_says_what_to_do(acme: Organization, address: dict[str, Any]) -> None:
    reply = await post(acme.live, address, "/v1/contacts", {})

    assert refused(reply)
    assert "bv_test_sk_" in reply.json()["error"]["message"]


async def test_signing_in_there_opens_a_session_of_the_sandbox(acme: Organization, address: dict[str, Any]) -> None:
    credentials = {"email": acme.email, "password": PASSWORD}
    signed_in = await post(acme.world.anonymous, address, f"{TOKEN}password", credentials)

    session = acme.world.bearer(signed_in.json()["access_token"])
    await session.call("/v1/contacts/create", {"name": "Maria"})

    totals = [(await client.call("/v1/contacts"))["pagination"]["total"] for client in (acme.sandbox, acme.live)]
    assert totals == [1, 0]
    again = await post(
        acme.world.anonymous, address, f"{TOKEN}refresh_token", {"refresh_token": signed_in.json()["refresh_token"]}
    )
    assert again.status_code == 200


async def test_a_live_session_is_refused_there(acme: Organization, address: dict[str, Any]) -> None:
    tokens = await acme.sign_in()

    assert refused(await post(acme.world.bearer(tokens["access_token"]), address, "/v1/contacts", {}))
    assert refused(
        await post(acme.world.anonymous, address, f"{TOKEN}refresh_token", {"refresh_token": tokens["refresh_token"]})
    )
    elsewhere = await acme.world.http.post(f"{TOKEN}refresh_token", json={"refresh_token": tokens["refresh_token"]})
    assert elsewhere.status_code == 200


async def test_a_live_key_chooses_no_organization_there(acme: Organization, address: dict[str, Any]) -> None:
    client = Client(acme.world.http, {"apikey": acme.made.keys.live_publishable})

    reply = await post(client, address, f"{TOKEN}password", {"email": acme.email, "password": PASSWORD})

    assert refused(reply)


async def test_without_credentials_it_is_401_and_an_unknown_path_404(
    acme: Organization, address: dict[str, Any]
) -> None:
    assert (await post(acme.world.anonymous, address, "/v1/contacts", {})).status_code == 401
    assert (await post(acme.sandbox, address, "/v1/nothing", {})).status_code == 404


async def test_a_sandbox_key_works_at_the_plain_address_too(acme: Organization) -> None:
    await acme.sandbox.call("/v1/contacts/create", {"name": "Maria"})


@pytest.mark.parametrize("path", ["/sandbox//v1/contacts", "/sandbox/livez", "/Sandbox/v1/contacts", "/sandbox/v1"])
async def test_no_other_path_leads_there(acme: Organization, path: str) -> None:
    assert (await acme.live.post(path, {})).status_code in (403, 404)
