"""What the webhook tests do again and again: endpoints, events, and the worker that brings them together."""

from dataclasses import dataclass
from typing import Any

import psycopg

from tests.webhooks.receiver import Receiver
from tests.world import Client

EVENTS = ["contact.created"]


@dataclass(frozen=True)
class Endpoint:
    client: Client
    made: dict[str, Any]
    owner: psycopg.Connection

    @property
    def id(self) -> str:
        return self.made["webhook_id"]

    async def get(self) -> dict[str, Any]:
        return await self.client.call("/v1/webhooks/get", {"webhook_id": self.id})

    async def update(self, **changes: Any) -> dict[str, Any]:
        return await self.client.call("/v1/webhooks/update", {"webhook_id": self.id, **changes})

    def deliveries(self) -> list[tuple[str, int]]:
        """Status and number of attempts of each, oldest first."""
        return self._rows(
            "select status, attempts from webhook_deliveries where webhook_id = %s order by created_at, id"
        )

    def outcomes(self) -> list[tuple[str | None, int | None, str | None]]:
        """Outcome, response status and error of each attempt, oldest first."""
        return self._rows(
            "select outcome, response_status, error from webhook_attempts where webhook_id = %s order by started_at"
        )

    def next_attempts(self) -> list[Any]:
        """When each failed delivery is due, and when its last attempt began."""
        return self._rows(
            "select d.next_attempt_at, a.started_at from webhook_deliveries d"
            " join webhook_attempts a on a.delivery_id = d.id and a.number = d.attempts and a.outcome = 'failed'"
            " where d.webhook_id = %s and d.next_attempt_at is not null"
        )

    def statuses(self) -> list[str]:
        """Of each delivery, oldest first."""
        return [status for status, _ in self.deliveries()]

    def _rows(self, query: str) -> list[Any]:
        return self.owner.execute(query, (self.id,)).fetchall()


@dataclass(frozen=True)
class Desk:
    owner: psycopg.Connection

    async def endpoint(self, client: Client, receiver: Receiver | str, **fields: Any) -> Endpoint:
        url = receiver if isinstance(receiver, str) else receiver.url()
        made = await client.call("/v1/webhooks/create", {"url": url, "events": EVENTS, **fields})
        return Endpoint(client, made, self.owner)


async def create_contact(client: Client, name: str = "Maria Garcia") -> dict[str, Any]:
    return await client.call("/v1/contacts/create", {"name": name})


async def delivery_of(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint's only delivery, whole."""
    page = await endpoint.client.call("/v1/webhooks/list_deliveries", {"webhook_id": endpoint.id})
    (listed,) = page["deliveries"]
    return await endpoint.client.call("/v1/webhooks/get_delivery", {"delivery_id": listed["delivery_id"]})
