"""What the tests of steering runs share."""

from typing import Any

import httpx2

from tests.workflows.arranging import Json, until
from tests.workflows.couriers import Courier
from tests.world import Client, Organization

PAUSE: Json = {"id": "pause", "wait": {"seconds": 3600}}
BROKEN: Json = {"id": "broken", "set": {"value": "{{ 1 / input.by }}"}}


async def steer(client: Client, verb: str, run: Json, **more: Any) -> Json:
    """`workflows.<verb>_instance`: the run as it is then."""
    found: Json = await client.call(f"/v1/workflows/{verb}_instance", {"instance_id": run["instance_id"], **more})
    return found


async def refused(client: Client, verb: str, run: Json, **more: Any) -> httpx2.Response:
    reply = await client.post(f"/v1/workflows/{verb}_instance", {"instance_id": run["instance_id"], **more})
    assert reply.status_code != 200, reply.text
    return reply


def statuses(run: Json) -> dict[str, str]:
    """Of its steps, by path."""
    return {step["path"]: step["status"] for step in run["steps"]}


async def called(courier: Courier, times: int) -> None:
    async def is_so() -> bool:
        return len(courier.keys) == times

    await until(is_so)


def task_states(organization: Organization, run: Json) -> list[str]:
    """The states of the engine's attempts at the run, oldest first."""
    rows = organization.world.database.execute(
        "select r.state from absurd.r_work r join workflow_instances i on i.task_id = r.task_id where i.id = %s"
        " order by r.run_id",
        (run["instance_id"],),
    )
    return [state for (state,) in rows]
