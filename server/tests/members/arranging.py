"""How tests invite people, and how these answer."""

from typing import Any
from uuid import uuid4

import httpx2

from tests.world import PASSWORD, Client, Organization, World

ACCEPT = "/v1/auth/invitations/accept"


def fresh_email() -> str:
    return f"{uuid4().hex}@example.com"


async def invited(client: Client, role: str = "editor", email: str | None = None) -> Any:
    return await client.call("/v1/members/invite", {"email": email or fresh_email(), "role": role})


async def accepted(world: World, token: str, headers: dict[str, str] | None = None, **answer: Any) -> httpx2.Response:
    return await world.http.post(ACCEPT, json={"token": token, **answer}, headers=headers or {})


async def joined(acme: Organization, role: str = "editor") -> Client:
    """A new person who has accepted an invitation, signed in."""
    invitation = await invited(acme.live, role)
    reply = await accepted(acme.world, invitation["token"], password=PASSWORD)
    assert reply.status_code == 200, reply.text
    return acme.world.bearer(reply.json()["access_token"])
