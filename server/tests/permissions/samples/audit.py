"""audit.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene


async def _list(scene: Scene) -> dict[str, Any]:
    contact = await scene.client.call("/v1/contacts/create", {"name": "Maria Garcia"})
    return {"resource_type": "contacts", "resource_id": contact["id"], "request_id": "req_of_nobody"}


SAMPLES: Final[Samples] = {"audit.list": Sample(_list, not_ours=frozenset({"request_id"}))}
