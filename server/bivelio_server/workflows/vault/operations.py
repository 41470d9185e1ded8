"""The secrets of an organisation's workflows: set, listed by name, deleted; never shown."""

from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Conflict, NotFound
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.rows import identity
from bivelio_server.kit.text import Text
from bivelio_server.workflows.vault import queries
from bivelio_server.workflows.vault.models import WorkflowSecret
from bivelio_server.workflows.vault.schemas import Secret, SecretList, SecretPage, SecretReference, SecretSet
from bivelio_server.workflows.vault.sealing import seal

MAX_SECRETS: Final = 200

feature: Final = Feature(
    "workflows", doors=DIRECT_DOORS, doors_reason="an automation must not be able to exchange the secrets that it uses"
)


@feature.operation(
    "set_secret", scope=Scope.admin, effect=Effect.transactional, errors=[Conflict],
    summary=Text("Guarda un secreto para los pasos", "Keep a secret for steps"),
)  # fmt: skip
async def set_secret(context: Context, data: SecretSet) -> Secret:
    await queries.hold_alone(context)
    row = await queries.find(context, data.name)
    if row is None:
        row = await _new(context, data.name)
    row.sealed_value, row.updated_at = seal(context, row.id, data.value), context.now
    if "description" in data.model_fields_set:
        row.description = data.description
    context.session.add(row)
    await context.session.flush()
    return Secret.model_validate(row)


@feature.operation(
    "list_secrets", scope=Scope.read, effect=Effect.read,
    summary=Text("Lista los secretos por su nombre", "List the secrets by name"),
)  # fmt: skip
async def list_secrets(context: Context, data: SecretList) -> SecretPage:
    rows, total = await queries.list_secrets(context, data)
    return SecretPage(secrets=[Secret.model_validate(row) for row in rows], pagination=Pagination.of(data, total))


@feature.operation(
    "delete_secret", scope=Scope.admin, effect=Effect.transactional, errors=[NotFound], irreversible=True,
    summary=Text("Borra un secreto; los pasos que lo usan fallan", "Delete a secret; steps that use it fail"),
)  # fmt: skip
async def delete_secret(context: Context, data: SecretReference) -> Secret:
    await queries.hold_alone(context)
    row = await queries.get(context, data.name)
    await context.session.delete(row)
    return Secret.model_validate(row)


async def _new(context: Context, name: str) -> WorkflowSecret:
    if await queries.count(context) >= MAX_SECRETS:
        raise Conflict(_TOO_MANY, details={"max_secrets": MAX_SECRETS})
    return WorkflowSecret(
        **identity(context.caller), id=new_id("sec"), name=name, description=None, created_at=context.now
    )


_TOO_MANY: Final = Text(
    f"Hay {MAX_SECRETS} secretos, que es el máximo; borra alguno.",
    f"There are {MAX_SECRETS} secrets, which is the maximum; delete one.",
)
