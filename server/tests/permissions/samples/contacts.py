"""contacts.*"""

import base64
from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene


async def _company(scene: Scene) -> str:
    company = await scene.client.call("/v1/contacts/create", {"type": "company", "name": "Empresa ABC"})
    return str(company["id"])


async def _person(scene: Scene) -> dict[str, Any]:
    person: dict[str, Any] = await scene.client.call(
        "/v1/contacts/create", {"name": "Maria Garcia", "company_id": await _company(scene)}
    )
    return person


async def _list(scene: Scene) -> dict[str, Any]:
    return {"company_id": (await _person(scene))["company_id"]}


async def _create(scene: Scene) -> dict[str, Any]:
    return {"name": "Maria Garcia", "email": "maria@ejemplo.com", "company_id": await _company(scene)}


async def _update(scene: Scene) -> dict[str, Any]:
    return {"id": (await _person(scene))["id"], "company_id": await _company(scene), "tags": ["cliente"]}


async def _reference(scene: Scene) -> dict[str, Any]:
    return {"id": (await _person(scene))["id"]}


async def _deleted(scene: Scene) -> dict[str, Any]:
    reference = await _reference(scene)
    await scene.client.call("/v1/contacts/delete", reference)
    return reference


async def _import(_scene: Scene) -> dict[str, Any]:
    return {"content_base64": base64.b64encode(b"name,email\nMaria,maria@ejemplo.com").decode()}


async def _filter(scene: Scene) -> dict[str, Any]:
    return {"filter": {"company_id": (await _person(scene))["company_id"]}}


async def _bulk_tag(scene: Scene) -> dict[str, Any]:
    return {**await _filter(scene), "add": ["cliente"]}


SAMPLES: Final[Samples] = {
    "contacts.list": Sample(_list),
    "contacts.get": Sample(_reference),
    "contacts.create": Sample(_create),
    "contacts.update": Sample(_update),
    "contacts.delete": Sample(_reference),
    "contacts.restore": Sample(_deleted),
    "contacts.import": Sample(_import),
    "contacts.export": Sample(_list),
    "contacts.bulk_tag": Sample(_bulk_tag),
    "contacts.bulk_delete": Sample(_filter),
    "contacts.erase": Sample(_reference),
    "contacts.history": Sample(_reference),
}
