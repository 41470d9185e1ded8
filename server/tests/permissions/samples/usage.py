"""usage.* and requests.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene, fixed


async def _request(scene: Scene) -> dict[str, Any]:
    reply = await scene.client.post("/v1/contacts")
    return {"request_id": reply.headers["x-request-id"]}


async def _key(scene: Scene) -> dict[str, Any]:
    asked = await _request(scene)
    return {"key_id": (await scene.client.call("/v1/requests/get", asked))["key_id"]}


async def _request_of_key(scene: Scene) -> dict[str, Any]:
    return {**await _request(scene), **await _key(scene)}


SAMPLES: Final[Samples] = {
    "usage.list": Sample(_key),
    "usage.ai": fixed({}),
    "usage.limits": fixed({}),
    "usage.credits": fixed({}),
    "usage.list_credit_entries": Sample(_key),
    "requests.list": Sample(_request_of_key),
    "requests.get": Sample(_request, of_organization=True),
}
