"""workflows.get_output"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene

_STEPS: Final = [{"id": "hello", "set": {"text": "Hola"}}]


async def _output(scene: Scene) -> dict[str, Any]:
    made = await scene.client.call("/v1/workflows/create", {"name": "Large", "steps": _STEPS})
    run = await scene.client.call("/v1/workflows/execute", {"workflow_id": made["id"]})
    return {"instance_id": run["instance_id"], "what": "input"}


SAMPLES: Final[Samples] = {"workflows.get_output": Sample(_output)}
