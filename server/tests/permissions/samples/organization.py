"""organization.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed
from tests.world import Person


async def _another(scene: Scene) -> dict[str, Any]:
    if not isinstance(scene.asking, Person):
        return {"organization_id": str(scene.organization.id)}
    made = await scene.asking.call("/v1/organization/create", {"name": "Otra S.L."})
    return {"organization_id": made["id"]}


async def _successor(scene: Scene) -> dict[str, Any]:
    return {"user_id": str(scene.organization.member("editor"))}


SAMPLES: Final[Samples] = {
    "organization.get": fixed({}),
    "organization.update": fixed({"timezone": "Atlantic/Canary"}),
    "organization.settings_schema": fixed({}),
    "organization.create": fixed({"name": "Otra S.L."}),
    "organization.list": fixed({}),
    "organization.switch": Sample(_another),
    "organization.transfer": Sample(_successor),
    "organization.delete": Sample(fixed({"confirm_name": "Acme"}).arrange, ends_organization=True),
}
