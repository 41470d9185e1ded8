"""workflows.…_hook…"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene

_ON_WEBHOOK: Final = {
    "name": "Pedido de la tienda",
    "trigger": {"type": "webhook"},
    "steps": [{"id": "hello", "set": {"text": "Hola {{ input.body.name }}"}}],
}


async def _reference(scene: Scene) -> dict[str, Any]:
    return {"workflow_id": (await scene.client.call("/v1/workflows/create", _ON_WEBHOOK))["id"]}


SAMPLES: Final[Samples] = {
    "workflows.get_hook": Sample(_reference),
    "workflows.rotate_hook_secret": Sample(_reference),
}
