"""keys.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

# Within the rights of `keys:admin` too: nobody gives away a scope that they lack.
_KEY: Final = {"name": "Integración ERP", "scopes": ["keys:read"]}


async def _existing(scene: Scene) -> dict[str, Any]:
    return {"id": (await scene.client.call("/v1/keys/create", _KEY))["id"]}


async def _update(scene: Scene) -> dict[str, Any]:
    return {**await _existing(scene), "name": "Integración CRM"}


SAMPLES: Final[Samples] = {
    "keys.create": fixed(_KEY),
    "keys.list": fixed({}),
    "keys.get": Sample(_existing, of_organization=True),
    "keys.usage": Sample(_existing, of_organization=True),
    "keys.update": Sample(_update, of_organization=True),
    "keys.rotate": Sample(_existing, of_organization=True),
    "keys.revoke": Sample(_existing, of_organization=True),
}
