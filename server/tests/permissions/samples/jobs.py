"""jobs.*; no worker runs here, so a job stays queued."""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed


async def _queued(scene: Scene) -> dict[str, Any]:
    return {"id": (await scene.client.call("/v1/contacts/export", {}))["job_id"]}


SAMPLES: Final[Samples] = {
    "jobs.get": Sample(_queued),
    "jobs.list": fixed({}),
    "jobs.cancel": Sample(_queued),
}
