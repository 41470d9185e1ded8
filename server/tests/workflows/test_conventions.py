"""Expressions follow the settings of their organisation where they name no zone, language or currency."""

import pytest

from tests.workflows.arranging import Json, instances, reacted, run, step_of, workflow
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]

LATE = "timestamp('2026-01-31T23:30:00Z')"
SHOWN: Json = {
    "id": "shown",
    "set": {
        "day": f"{{{{ date({LATE}) }}}}",
        "text": f"{{{{ formatDate({LATE}, 'long') }}}}: {{{{ formatMoney(1234.5) }}}}",
    },
}


async def settle(organization: Organization, **settings: str) -> None:
    await organization.live.call("/v1/organization/update", settings)


async def test_a_run_writes_as_its_organisation_does(acme: Organization) -> None:
    made = await workflow(acme.live, SHOWN)

    here = await run(acme.live, made)
    await settle(acme, timezone="America/New_York", locale="en", currency="USD")
    there = await run(acme.live, made)

    assert step_of(here, "shown")["output"] == {"day": "2026-02-01", "text": "1 de febrero de 2026: 1.234,50\u00a0€"}
    assert step_of(there, "shown")["output"] == {"day": "2026-01-31", "text": "January 31, 2026: $1,234.50"}


async def test_a_filter_counts_days_as_its_organisation_does(acme: Organization) -> None:
    trigger = {"type": "event", "event": "contact.created", "if": f"{{{{ date({LATE}) == '2026-02-01' }}}}"}
    await workflow(acme.live, SHOWN, trigger=trigger)

    await acme.live.call("/v1/contacts/create", {"name": "Ana"})
    await reacted(acme, acme.world.database)
    await settle(acme, timezone="UTC")
    await acme.live.call("/v1/contacts/create", {"name": "Luis"})
    await reacted(acme, acme.world.database)

    assert [found["input"]["data"]["name"] for found in await instances(acme.live)] == ["Ana"]
