"""keys.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

# Within the rights of `keys:admin` too: nobody gives away a scope that they lack.
_KEY: Final = {"name": "Integración ERP", "scopes": ["keys:read"]}


async def _revoke(scene: Scene) -> dict[str, Any]:
    return {"id": (await scene.client.call("/v1/keys/create", _KEY))["id"]}


SAMPLES: Final[Samples] = {
    "keys.create": fixed(_KEY),
    "keys.list": fixed({}),
    "keys.revoke": Sample(_revoke, of_organization=True),
}
