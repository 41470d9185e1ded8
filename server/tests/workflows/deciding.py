"""What the tests of approvals share."""

from typing import Any

from tests.workflows.arranging import Json, reached, started, until, workflow
from tests.world import Client, Organization

DECIDE = "/v1/workflows/decide"
AFTER: Json = {"id": "after", "set": {"said": "{{ steps.ok.output.decision }}"}}


def approval(step_id: str = "ok", **fields: Any) -> Json:
    """A step that waits for somebody's decision."""
    return {"id": step_id, "approval": {"title": "Factura de {{ input.total }} €", **fields}}


async def parked(organization: Organization, *steps: Json, client: Client | None = None, **input_: Any) -> Json:
    """A run that waits, by default for its only step's decision."""
    client = client or organization.live
    run = await started(client, await workflow(client, *(steps or (approval(), AFTER))), total=1250, **input_)
    return await reached(client, run, "waiting")


async def waiting_in(client: Client, run: Json, status: str = "pending", count: int = 1) -> list[Json]:
    """The run's approvals of that status, once there are so many, the oldest first."""
    found: list[Json] = []

    async def are_there() -> bool:
        nonlocal found
        page = await client.call(
            "/v1/workflows/list_approvals", {"instance_id": run["instance_id"], "status": status, "per_page": 100}
        )
        found = page["approvals"][::-1]
        return len(found) == count

    await until(are_there)
    return found


async def decided(client: Client, approval_: Json, decision: str = "approve", comment: str | None = None) -> Json:
    data = {"approval_id": approval_["approval_id"], "decision": decision, "comment": comment}
    answer: Json = await client.call(DECIDE, data)
    return answer
