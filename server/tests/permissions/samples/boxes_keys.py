"""boxes.create_key, boxes.list_keys, boxes.revoke_key, boxes.usage"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

_KEY: Final = {"name": "Buscador de la intranet"}
_CREATE: Final = "/v1/boxes/keys/create"


async def _create(_scene: Scene) -> dict[str, Any]:
    return _KEY


async def _own(scene: Scene) -> dict[str, Any]:
    """A key of who asks, who cannot revoke another's; the owner's where they may make none."""
    if scene.asking is not None:
        reply = await scene.asking.post(_CREATE, _KEY)
        if reply.status_code == 200:
            return {"id": reply.json()["data"]["id"]}
    return {"id": (await scene.client.call(_CREATE, _KEY))["id"]}


SAMPLES: Final[Samples] = {
    "boxes.create_key": Sample(_create, keys_need="write"),
    "boxes.list_keys": fixed({}),
    "boxes.revoke_key": Sample(_own, keys_need="write"),
    "boxes.usage": fixed({}),
}
