"""workflows.*"""

from typing import Any, Final

from bivelio_server.kit.ids import new_id
from tests.permissions.sample import Sample, Samples, Scene, fixed

# Of steps that need no right, so that the rights of workflows alone decide.
_HELLO: Final = {"name": "Onboarding", "steps": [{"id": "hello", "set": {"text": "Hola {{ input.client_name }}"}}]}

#: What only a run looks up.
_OF_STEPS: Final = frozenset({"workflow_id"})
_DOCUMENT: Final = {"format": "bivelio.workflow", "format_version": 1, **_HELLO}


async def _workflow(scene: Scene, **fields: Any) -> str:
    return str((await scene.client.call("/v1/workflows/create", {**_HELLO, **fields}))["id"])


async def _run(scene: Scene) -> dict[str, Any]:
    run: dict[str, Any] = await scene.client.call("/v1/workflows/execute", await _execute(scene))
    return run


async def _reference(scene: Scene) -> dict[str, Any]:
    return {"id": await _workflow(scene)}


async def _update(scene: Scene) -> dict[str, Any]:
    return {"id": await _workflow(scene), "name": "Bienvenida"}


async def _draft(scene: Scene) -> dict[str, Any]:
    return {"id": await _workflow(scene, status="draft")}


async def _deleted(scene: Scene) -> dict[str, Any]:
    reference = await _reference(scene)
    await scene.client.call("/v1/workflows/delete", reference)
    return reference


async def _version(scene: Scene) -> dict[str, Any]:
    """The first of two."""
    reference = await _reference(scene)
    await scene.client.call("/v1/workflows/update", {**reference, "name": "Bienvenida"})
    return {**reference, "version": 1}


async def _versions(scene: Scene) -> dict[str, Any]:
    return {"id": (await _version(scene))["id"], "from": 1, "to": 2}


async def _execute(scene: Scene) -> dict[str, Any]:
    return {"workflow_id": await _workflow(scene), "input": {"client_name": "Empresa ABC"}}


async def _runs(scene: Scene) -> dict[str, Any]:
    run = await _run(scene)
    return {"workflow_id": run["workflow_id"], "parent_id": run["instance_id"]}


async def _run_reference(scene: Scene) -> dict[str, Any]:
    return {"instance_id": (await _run(scene))["instance_id"]}


async def _approval(scene: Scene) -> dict[str, Any]:
    """Of a run that nobody takes on, so it does not ask for itself. Whoever may write may decide here."""
    run, approval_id = await _run_reference(scene), new_id("apr")
    scene.organization.world.database.execute(
        "insert into workflow_approvals (org_id, environment, id, instance_id, workflow_id, path, status, title,"
        " approver_roles, approver_users, created_at)"
        " select org_id, environment, %s, id, workflow_id, 'ok', 'pending', 'Gasto', %s, %s, started_at"
        " from workflow_instances where id = %s",
        (approval_id, ["owner", "admin", "editor"], [], run["instance_id"]),
    )
    return {"approval_id": approval_id}


async def _approvals(scene: Scene) -> dict[str, Any]:
    approval = await scene.client.call("/v1/workflows/get_approval", await _approval(scene))
    return {name: approval[name] for name in ("instance_id", "workflow_id")}


async def _decision(scene: Scene) -> dict[str, Any]:
    return {**await _approval(scene), "decision": "approve"}


async def _ended_run(scene: Scene) -> dict[str, Any]:
    """Nobody works here, and following a run lasts as long as it does."""
    run = await _run_reference(scene)
    scene.organization.world.database.execute(
        "update workflow_instances set status = 'cancelled', finished_at = started_at where id = %s",
        (run["instance_id"],),
    )
    return run


async def _failed_run(scene: Scene) -> dict[str, Any]:
    run = await _run_reference(scene)
    scene.organization.world.database.execute(
        "update workflow_instances set status = 'failed', finished_at = started_at where id = %s",
        (run["instance_id"],),
    )
    return run


async def _filter(scene: Scene) -> dict[str, Any]:
    run = await _run(scene)
    return {"filter": {"workflow_id": run["workflow_id"], "parent_id": run["instance_id"]}}


SAMPLES: Final[Samples] = {
    "workflows.list": fixed({}),
    "workflows.get": Sample(_reference),
    "workflows.create": Sample(fixed(_HELLO).arrange, not_ours=_OF_STEPS | {"id"}),
    "workflows.update": Sample(_update, not_ours=_OF_STEPS),
    "workflows.activate": Sample(_draft),
    "workflows.pause": Sample(_reference),
    "workflows.delete": Sample(_reference),
    "workflows.restore": Sample(_deleted),
    "workflows.list_versions": Sample(_reference),
    "workflows.get_version": Sample(_version),
    "workflows.compare_versions": Sample(_versions),
    "workflows.restore_version": Sample(_version),
    "workflows.export": Sample(_reference),
    "workflows.import": Sample(fixed({"document": _DOCUMENT}).arrange, not_ours=_OF_STEPS | {"id"}),
    "workflows.list_templates": fixed({}),
    "workflows.get_template": Sample(fixed({"id": "welcome_client"}).arrange, not_ours=frozenset({"id"})),
    "workflows.create_from_template": Sample(
        fixed({"template_id": "welcome_client"}).arrange, not_ours=frozenset({"template_id"}), reaches_further=True
    ),
    "workflows.execute": Sample(_execute),
    "workflows.list_instances": Sample(_runs),
    "workflows.get_instance": Sample(_run_reference),
    "workflows.watch_instance": Sample(_ended_run),
    "workflows.cancel_instance": Sample(_run_reference),
    "workflows.pause_instance": Sample(_run_reference),
    "workflows.resume_instance": Sample(_run_reference),
    "workflows.retry_instance": Sample(_failed_run),
    "workflows.rerun_instance": Sample(_failed_run),
    "workflows.cancel_instances": Sample(_filter),
    "workflows.retry_instances": Sample(_filter),
    "workflows.list_approvals": Sample(_approvals),
    "workflows.get_approval": Sample(_approval),
    "workflows.decide": Sample(_decision),
}
