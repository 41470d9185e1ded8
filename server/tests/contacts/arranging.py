"""What the tests of contacts share."""

from typing import Any

import psycopg

from tests.world import Client, Organization


async def contact(client: Client, name: str, **fields: Any) -> dict[str, Any]:
    """A fresh contact."""
    made: dict[str, Any] = await client.call("/v1/contacts/create", {"name": name, **fields})
    return made


async def names(client: Client, **filters: Any) -> list[str]:
    """The names on one page of contacts, in order."""
    page = await client.call("/v1/contacts", filters)
    return [found["name"] for found in page["contacts"]]


def events_of(database: psycopg.Connection, organization: Organization) -> list[tuple[str, str, dict[str, Any]]]:
    """Name, environment and data of every recorded event, oldest first."""
    rows = database.execute(
        "select event, environment, data from events where org_id = %s order by occurred_at, id", (organization.id,)
    )
    return [(event, environment, data) for event, environment, data in rows]
