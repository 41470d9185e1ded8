"""agents.*"""

from typing import Any, Final

from tests.permissions.sample import Sample, Samples, Scene
from tests.scripted import SCRIPTS, Scripted, says

_ASKS: Final = [("contacts_erase", {"id": "ct_nobody"})]


async def _agent(scene: Scene, **fields: Any) -> str:
    made = await scene.client.call("/v1/agents/create", {"name": "Ayudante", "instructions": "Help.", **fields})
    return str(made["id"])


async def _reference(scene: Scene) -> dict[str, Any]:
    return {"id": await _agent(scene)}


async def _create(_scene: Scene) -> dict[str, Any]:
    return {"name": "Ayudante", "instructions": "Help."}


async def _deleted(scene: Scene) -> dict[str, Any]:
    reference = await _reference(scene)
    await scene.client.call("/v1/agents/delete", reference)
    return reference


async def _list(_scene: Scene) -> dict[str, Any]:
    return {"category": "nothing_of_the_kind"}


async def _invoke(scene: Scene) -> dict[str, Any]:
    SCRIPTS.give(scene.organization.id, Scripted([says("Hola")] * 4))
    return {"agent_id": await _agent(scene), "input": {"text": "Hola"}}


async def _invoked(scene: Scene) -> dict[str, Any]:
    found: dict[str, Any] = await scene.client.call("/v1/agents/invoke", await _invoke(scene))
    return found


async def _execution(scene: Scene) -> dict[str, Any]:
    return {"execution_id": (await _invoked(scene))["execution_id"]}


async def _executions(scene: Scene) -> dict[str, Any]:
    return {"agent_id": (await _invoked(scene))["agent_id"]}


async def _approval(scene: Scene) -> dict[str, Any]:
    SCRIPTS.give(scene.organization.id, Scripted([says(calls=_ASKS)]))
    agent = await _agent(scene, tools=[{"operation": "contacts.erase"}])
    found: dict[str, Any] = await scene.client.call("/v1/agents/invoke", {"agent_id": agent, "input": {"text": "Hola"}})
    approval: dict[str, Any] = found["approvals"][0]
    return approval


async def _approvals(scene: Scene) -> dict[str, Any]:
    return {"execution_id": (await _approval(scene))["execution_id"]}


async def _decide(scene: Scene) -> dict[str, Any]:
    return {"approval_id": (await _approval(scene))["approval_id"], "decision": "reject"}


SAMPLES: Final[Samples] = {
    "agents.list": Sample(_list),
    "agents.get": Sample(_reference),
    "agents.create": Sample(_create),
    "agents.update": Sample(_reference),
    "agents.activate": Sample(_reference),
    "agents.pause": Sample(_reference),
    "agents.delete": Sample(_reference),
    "agents.restore": Sample(_deleted),
    "agents.invoke": Sample(_invoke),
    "agents.list_executions": Sample(_executions),
    "agents.get_execution": Sample(_execution),
    "agents.list_approvals": Sample(_approvals),
    "agents.decide": Sample(_decide),
}
