"""Keys of the public API: who makes them, what ends them, who sees them."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from bivelio_server.boxes.public.key_format import generate_box_key, is_well_formed_box_key
from bivelio_server.kit.caller import Environment
from bivelio_server.kit.clock import MovableClock
from tests.boxes.public.arranging import Asker, Scripted, make_box, outcome
from tests.world import Client, Organization, Person

pytestmark = pytest.mark.anyio

CREATE, LIST, REVOKE = (f"/v1/boxes/keys/{verb}" for verb in ("create", "list", "revoke"))


def test_a_key_has_its_form_and_a_checksum() -> None:
    new = generate_box_key()

    mark, prefix, secret = new.key.split("_")
    assert (mark, len(prefix), len(secret)) == ("bbfe", 8, 38)
    assert new.prefix == f"bbfe_{prefix}"
    assert is_well_formed_box_key(new.key)
    assert not is_well_formed_box_key(new.key[:-1] + ("a" if new.key[-1] != "a" else "b"))
    assert not is_well_formed_box_key(new.key + "a")


async def test_a_key_is_shown_once_and_works(acme: Organization, owner: psycopg.Connection) -> None:
    made = await acme.owner.call(CREATE, {"name": "Intranet"})
    shown = await listed(acme.owner)

    assert made["key"].startswith(made["prefix"] + "_")
    assert shown == [{name: value for name, value in made.items() if name != "key"}]
    assert (await using(acme, made).check()).status_code == 200
    [stored] = owner.execute("select digest, to_jsonb(k)::text from box_keys k where id = %s", (made["id"],))
    assert len(stored[0]) == 32
    assert made["key"] not in stored[1]


async def test_a_viewer_has_a_key_that_opens_the_boxes_they_administer(acme: Organization, scripted: Scripted) -> None:
    viewer = acme.person("viewer")
    box, other = make_box(acme, admin=viewer.user_id), make_box(acme)

    key = using(acme, await viewer.call(CREATE, {"name": "Mine"}))

    assert (await key.retrieve(box)).status_code == 200
    assert outcome(await key.retrieve(other)) == (403, "B3002")


async def test_a_key_works_in_its_environment_only(acme: Organization, scripted: Scripted) -> None:
    live, sandbox = make_box(acme), make_box(acme, "sandbox")

    key = using(acme, await acme.sandbox.call(CREATE, {"name": "Trying"}))

    assert (await key.retrieve(sandbox)).status_code == 200
    assert outcome(await key.retrieve(live)) == (403, "B3002")


async def test_at_the_address_of_the_sandbox_only_its_keys_work(acme: Organization) -> None:
    live, sandbox = [await client.call(CREATE, {"name": "k"}) for client in (acme.live, acme.sandbox)]
    address = "/sandbox/api/public/v1/check"

    refused = await acme.world.http.get(address, headers=using(acme, live).headers)
    taken = await acme.world.http.get(address, headers=using(acme, sandbox).headers)

    assert outcome(refused) == (403, "B3002")
    assert taken.status_code == 200


async def test_what_an_api_key_made_ends_with_it(acme: Organization) -> None:
    for end in ("revoke", "rotate"):
        maker = await acme.live.call("/v1/keys/create", {"name": "Maker", "scopes": ["boxes:write"]})
        made = await acme.world.client(maker["key"]).call(CREATE, {"name": "Made"})
        assert made["created_by_key"] == maker["id"]
        assert (await using(acme, made).check()).status_code == 200

        await acme.live.call(
            f"/v1/keys/{end}", {"id": maker["id"], **({"grace_seconds": 0} if end == "rotate" else {})}
        )

        assert outcome(await using(acme, made).check()) == (401, "B3002")
        assert [key["active"] for key in await listed(acme.live) if key["id"] == made["id"]] == [False]


async def test_what_an_api_key_made_expires_with_it(acme: Organization, clock: MovableClock) -> None:
    end = (clock.now() + timedelta(minutes=5)).isoformat()
    maker = await acme.live.call("/v1/keys/create", {"name": "Maker", "scopes": ["write"], "expires_at": end})
    made = await acme.world.client(maker["key"]).call(CREATE, {"name": "Made"})

    clock.advance(minutes=5)

    reply = await using(acme, made).check()
    assert (outcome(reply), reply.json()["error"]["cause"]) == ((401, "B3002"), "API Key expired")


async def test_what_an_api_key_made_weakens_with_it(acme: Organization) -> None:
    maker = await acme.live.call("/v1/keys/create", {"name": "Maker", "scopes": ["write"]})
    made = await acme.world.client(maker["key"]).call(CREATE, {"name": "Made"})

    await acme.live.call("/v1/keys/update", {"id": maker["id"], "scopes": ["contacts:write"]})

    assert outcome(await using(acme, made).check()) == (403, "B3002")


async def test_a_key_ends_with_the_membership(acme: Organization) -> None:
    person = acme.person("editor")
    made = await person.call(CREATE, {"name": "Mine"})
    assert (await using(acme, made).check()).status_code == 200

    await acme.owner.call("/v1/members/remove", {"user_id": str(person.user_id)})

    assert outcome(await using(acme, made).check()) == (401, "B3002")


async def test_keys_end_with_the_organization(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "Mine"})

    acme.world.database.execute("update organizations set deleted_at = now() where id = %s", (acme.id,))

    assert outcome(await using(acme, made).check()) == (401, "B3002")


async def test_a_key_expires_when_it_was_told_to(acme: Organization, clock: MovableClock) -> None:
    end = clock.now() + timedelta(minutes=1)
    made = await acme.owner.call(CREATE, {"name": "Short", "expires_at": end.isoformat()})
    assert (await using(acme, made).check()).status_code == 200

    clock.advance(minutes=1)

    assert outcome(await using(acme, made).check()) == (401, "B3002")


async def test_an_expiry_is_in_the_future(acme: Organization, clock: MovableClock) -> None:
    reply = await acme.owner.post(CREATE, {"name": "Late", "expires_at": clock.now().isoformat()})

    assert reply.status_code == 422
    assert reply.json()["error"]["details"]["field"] == "expires_at"


async def test_a_revoked_key_is_dead_at_once_and_revoking_it_again_changes_nothing(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "Soon gone"})

    first = await acme.owner.call(REVOKE, {"id": made["id"]})
    again = await acme.owner.call(REVOKE, {"id": made["id"]})

    assert outcome(await using(acme, made).check()) == (401, "B3002")
    assert (first["active"], first) == (False, again)


async def test_people_see_and_revoke_their_own_and_who_administers_all(acme: Organization) -> None:
    editor, admin = acme.person("editor"), acme.person("admin")
    theirs = await editor.call(CREATE, {"name": "Editor's"})
    other = await admin.call(CREATE, {"name": "Admin's"})

    assert [key["id"] for key in await listed(editor)] == [theirs["id"]]
    assert [key["id"] for key in await listed(admin)] == [other["id"], theirs["id"]]
    assert (await editor.post(REVOKE, {"id": other["id"]})).status_code == 404
    assert (await admin.post(REVOKE, {"id": theirs["id"]})).status_code == 200


async def test_api_keys_that_only_read_make_and_revoke_none(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "k"})

    for client in (acme.key("read"), acme.publishable):
        assert (await client.post(CREATE, {"name": "k"})).status_code == 403
        assert (await client.post(REVOKE, {"id": made["id"]})).status_code == 403


async def test_the_list_tells_when_a_key_was_used_last(acme: Organization, clock: MovableClock) -> None:
    made = await acme.owner.call(CREATE, {"name": "k"})
    before = clock.now().replace(microsecond=0)

    await using(acme, made).check()

    [shown] = await listed(acme.owner)
    assert shown["last_used_at"] >= before.strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_who_made_and_revoked_it_stands_in_the_audit_log_without_the_secret(acme: Organization) -> None:
    made = await acme.owner.call(CREATE, {"name": "k"})
    await acme.owner.call(REVOKE, {"id": made["id"]})

    entries = (await acme.live.call("/v1/audit/list"))["entries"]

    assert [entry["operation"] for entry in entries[:2]] == ["boxes.revoke_key", "boxes.create_key"]
    assert made["key"] not in str(entries)


async def test_keys_survive_the_clearing_of_a_sandbox(acme: Organization) -> None:
    made = await acme.signed_in(acme.owner_id, Environment.sandbox).call(CREATE, {"name": "k"})

    await acme.sandbox.call("/v1/sandbox/reset", {})

    assert (await using(acme, made).check()).status_code == 200


def using(organization: Organization, made: dict[str, Any]) -> Asker:
    return Asker(organization.world.http, made["key"])


async def listed(client: Client | Person) -> list[dict[str, Any]]:
    keys: list[dict[str, Any]] = (await client.call(LIST))["keys"]
    return keys
