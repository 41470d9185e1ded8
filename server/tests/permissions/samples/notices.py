"""notices.*"""

from typing import Any, Final

from bivelio_server.kit.ids import new_id
from tests.permissions.sample import Sample, Samples, Scene, fixed


async def _reference(scene: Scene) -> dict[str, Any]:
    """Nobody asks for a notice: they come by themselves."""
    notice_id = new_id("ntc")
    scene.organization.world.database.execute(
        "insert into notices (org_id, id, environment, kind, resource_id, text, details, created_at)"
        " values (%s, %s, %s, 'webhook.disabled', 'wh_1', %s, '{}', now())",
        (scene.organization.id, notice_id, scene.environment.value, '{"es": "Aviso", "en": "Notice"}'),
    )
    return {"id": notice_id}


SAMPLES: Final[Samples] = {
    "notices.list": fixed({}),
    "notices.read": Sample(_reference, of_organization=True),
}
