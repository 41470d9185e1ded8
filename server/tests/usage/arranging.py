"""What the tests of usage share."""

from typing import Any

from tests.world import Client, Organization

Json = dict[str, Any]


async def ask(client: Client, path: str = "/v1/contacts", data: Json | None = None, **headers: str) -> str:
    """Send a request, whatever comes of it; its id."""
    speaking = Client(
        client.http, {**client.headers, **{name.replace("_", "-"): text for name, text in headers.items()}}
    )
    reply = await speaking.post(path, data)
    return str(reply.headers["x-request-id"])


async def logged(client: Client, **filters: Any) -> list[Json]:
    """The first page of the request log, newest first, without the requests that read it."""
    page = await client.call("/v1/requests/list", {"per_page": 100, **filters})
    found: list[Json] = page["requests"]
    return [request for request in found if not request["operation"].startswith(("requests.", "usage."))]


async def request_of(client: Client, request_id: str) -> Json:
    found: Json = await client.call("/v1/requests/get", {"request_id": request_id})
    return found


async def usage(client: Client, **filters: Any) -> list[Json]:
    page = await client.call("/v1/usage/list", {"per_page": 100, **filters})
    found: list[Json] = page["usage"]
    return found


async def credits_of(client: Client) -> tuple[int, int, int]:
    """Used, reserved and remaining in this month."""
    month = await client.call("/v1/usage/credits")
    return month["used"], month["reserved"], month["remaining"]


async def entries(client: Client, **filters: Any) -> list[Json]:
    """What happened to the credits, newest first."""
    page = await client.call("/v1/usage/list_credit_entries", {"per_page": 100, **filters})
    found: list[Json] = page["entries"]
    return found


def give_credits(organization: Organization, monthly: int) -> None:
    """An allowance of its own."""
    organization.world.database.execute(
        "update organizations set monthly_credits = %s where id = %s", (monthly, organization.id)
    )
