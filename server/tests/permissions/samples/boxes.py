"""boxes.*; whoever asks is an owner of the box, and somebody else is too: what counts here is the credential."""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed
from tests.permissions.samples.documents import SAMPLES as DOCUMENTS

_ALL_OWN_IT: Final = """
    insert into box_members (org_id, environment, box_id, user_id, role, created_at)
    select m.org_id, %s, %s, m.user_id, 'owner', now() from members m where m.org_id = %s
        on conflict do nothing
"""


async def box(scene: Scene) -> dict[str, Any]:
    made = await scene.client.call("/v1/boxes/create", {"name": "Manuales"})
    database, organization = scene.organization.world.database, scene.organization
    organization.member("viewer")
    database.execute(_ALL_OWN_IT, (scene.environment.value, made["id"], organization.id))
    return {"box_id": made["id"]}


async def box_file(scene: Scene) -> dict[str, Any]:
    place = await box(scene)
    data = {**place, "filename": "manual.txt", "content_base64": "TWFudWFs"}
    return {**place, "file_id": (await scene.client.call("/v1/boxes/files/add", data))["id"]}


async def _document(scene: Scene) -> dict[str, Any]:
    return await DOCUMENTS["documents.get"].arrange(scene)


async def _update(scene: Scene) -> dict[str, Any]:
    return {**await box(scene), "name": "Contratos"}


async def _deleted_box(scene: Scene) -> dict[str, Any]:
    place = await box(scene)
    await scene.client.call("/v1/boxes/delete", place)
    return place


async def _member(scene: Scene) -> dict[str, Any]:
    place, user_id = await box(scene), scene.organization.member("viewer")
    row = scene.organization.world.database.execute("select email from users where id = %s", (user_id,)).fetchone()
    assert row is not None
    return {**place, "email": row[0]}


async def _set_member(scene: Scene) -> dict[str, Any]:
    return {**await _member(scene), "role": "editor"}


async def _remove_member(scene: Scene) -> dict[str, Any]:
    data = await _member(scene)
    await scene.client.call("/v1/boxes/members/set", {**data, "role": "editor"})
    return data


async def _add(scene: Scene) -> dict[str, Any]:
    return {**await box(scene), **await _document(scene)}


async def _replace(scene: Scene) -> dict[str, Any]:
    return {**await box_file(scene), **await _document(scene)}


async def _deleted_file(scene: Scene) -> dict[str, Any]:
    data = await box_file(scene)
    await scene.client.call("/v1/boxes/files/delete", data)
    return data


async def _failed_file(scene: Scene) -> dict[str, Any]:
    data = await box_file(scene)
    scene.organization.world.database.execute("update box_files set state = 'failed' where id = %s", (data["file_id"],))
    return data


async def _search(scene: Scene) -> dict[str, Any]:
    return {**await box(scene), "query": "la presión de la caldera"}


SAMPLES: Final[Samples] = {
    "boxes.create": fixed({"name": "Manuales"}),
    "boxes.list": fixed({}),
    "boxes.get": Sample(box),
    "boxes.update": Sample(_update),
    "boxes.delete": Sample(box),
    "boxes.restore": Sample(_deleted_box),
    "boxes.erase": Sample(box),
    "boxes.search": Sample(_search),
    "boxes.set_member": Sample(_set_member),
    "boxes.list_members": Sample(box),
    "boxes.remove_member": Sample(_remove_member),
    "boxes.leave": Sample(box),
    # What a document holds is for those who may read documents.
    "boxes.add_file": Sample(_add, reaches_further=True),
    "boxes.list_files": Sample(box),
    "boxes.get_file": Sample(box_file),
    "boxes.replace_file": Sample(_replace, reaches_further=True),
    "boxes.delete_file": Sample(box_file),
    "boxes.restore_file": Sample(_deleted_file),
    "boxes.retry_file": Sample(_failed_file),
    "boxes.erase_file": Sample(box_file),
}
