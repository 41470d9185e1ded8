"""Who changed what about webhooks stays known, and no secret with it."""

from typing import Any

import pytest

from tests.webhooks.desk import Desk, create_contact, delivery_of
from tests.world import Organization

pytestmark = pytest.mark.anyio

SECRET = "contraseña del señor Peña"


async def test_rotating_resending_recovering_and_testing_are_in_the_log(acme: Organization, desk: Desk) -> None:
    endpoint = await desk.endpoint(acme.live, "http://127.0.0.1:9/hook")
    await create_contact(acme.live)
    delivery_id = (await delivery_of(endpoint))["delivery_id"]
    await acme.live.call("/v1/webhooks/rotate_secret", {"webhook_id": endpoint.id, "secret": SECRET})
    await acme.live.call("/v1/webhooks/resend", {"delivery_id": delivery_id})
    await acme.live.call("/v1/webhooks/recover", {"webhook_id": endpoint.id, "since": "2026-01-01T00:00:00Z"})
    await acme.live.call("/v1/webhooks/test", {"webhook_id": endpoint.id})

    entries = {entry["operation"]: entry for entry in await _log(acme)}

    assert entries["webhooks.rotate_secret"]["after"]["signing_secret"] == "***"
    assert entries["webhooks.resend"]["resource_id"] == delivery_id
    assert entries["webhooks.recover"]["after"]["recovered"] == 0
    assert entries["webhooks.test"]["after"]["kind"] == "test"
    assert SECRET not in repr(entries)


async def _log(organization: Organization) -> list[dict[str, Any]]:
    page = await organization.live.call("/v1/audit/list", {"per_page": 100})
    entries: list[dict[str, Any]] = page["entries"]
    return entries
