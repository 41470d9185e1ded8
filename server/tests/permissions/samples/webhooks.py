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


async def _delivery(scene: Scene) -> dict[str, Any]:
    """One of a fresh endpoint."""
    endpoint = await _existing(scene)
    await scene.client.call("/v1/contacts/create", {"name": "Maria Garcia"})
    page = await scene.client.call("/v1/webhooks/list_deliveries", endpoint)
    delivery: dict[str, Any] = page["deliveries"][0]
    return delivery


async def _deliveries(scene: Scene) -> dict[str, Any]:
    delivery = await _delivery(scene)
    return {"webhook_id": delivery["webhook_id"], "event_id": delivery["event_id"], "status": "pending"}


async def _delivery_reference(scene: Scene) -> dict[str, Any]:
    return {"delivery_id": (await _delivery(scene))["delivery_id"]}


async def _recover(scene: Scene) -> dict[str, Any]:
    return {**await _existing(scene), "since": "2026-01-01T00:00:00Z"}


SAMPLES: Final[Samples] = {
    "webhooks.create": fixed(_WEBHOOK),
    "webhooks.list": fixed({}),
    "webhooks.get": Sample(_existing),
    "webhooks.update": Sample(_update),
    "webhooks.delete": Sample(_existing),
    "webhooks.restore": Sample(_deleted),
    "webhooks.test": Sample(_existing),
    "webhooks.rotate_secret": Sample(_existing),
    "webhooks.events": fixed({}),
    "webhooks.list_deliveries": Sample(_deliveries),
    "webhooks.get_delivery": Sample(_delivery_reference),
    "webhooks.resend": Sample(_delivery_reference),
    "webhooks.recover": Sample(_recover),
}
