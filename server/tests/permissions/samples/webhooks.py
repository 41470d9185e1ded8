"""webhooks.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed

# Nobody listens there: a test message fails at once, which is a result like any other.
_WEBHOOK: Final = {"url": "http://127.0.0.1:9/hook", "events": ["contact.created"]}


async def _existing(scene: Scene) -> dict[str, Any]:
    return {"webhook_id": (await scene.client.call("/v1/webhooks/create", _WEBHOOK))["webhook_id"]}


async def _update(scene: Scene) -> dict[str, Any]:
    return {**await _existing(scene), "description": "Otra"}


async def _deleted(scene: Scene) -> dict[str, Any]:
    reference = await _existing(scene)
    await scene.client.call("/v1/webhooks/delete", reference)
    return reference


SAMPLES: Final[Samples] = {
    "webhooks.create": fixed(_WEBHOOK),
    "webhooks.list": fixed({}),
    "webhooks.get": Sample(_existing),
    "webhooks.update": Sample(_update),
    "webhooks.delete": Sample(_existing),
    "webhooks.restore": Sample(_deleted),
    "webhooks.test": Sample(_existing),
}
