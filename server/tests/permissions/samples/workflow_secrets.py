"""workflows.…_secret: secrets of steps are known by their names, so that there are no ids to exchange."""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

_SECRET: Final = {"name": "ERP_TOKEN", "value": "a-token-of-the-erp"}


async def _existing(scene: Scene) -> dict[str, Any]:
    await scene.client.call("/v1/workflows/set_secret", _SECRET)
    return {"name": _SECRET["name"]}


SAMPLES: Final[Samples] = {
    "workflows.set_secret": fixed(_SECRET),
    "workflows.list_secrets": fixed({}),
    "workflows.delete_secret": Sample(_existing),
}
