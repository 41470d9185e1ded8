"""Stored files, and runs whose output is one."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from bivelio_server.kit.context import Services
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.storage import Storage, StorageKey, StoredFile
from tests.world import Client, Organization

ORG = UUID("0192d6a4-1111-7000-8000-000000000001")
STEPS = [{"id": "made", "set": {"x": 1}}]


def key(*parts: str, org_id: UUID = ORG, environment: str = "live") -> StorageKey:
    return StorageKey.of(org_id, environment, *parts)


async def names(files: Storage, prefix: str = "") -> list[str]:
    return sorted([file.key async for file in files.walk(prefix)])


async def run_of(client: Client) -> str:
    """A run that nobody works on."""
    workflow = await client.call("/v1/workflows/create", {"name": "Big", "steps": STEPS})
    started = await client.call("/v1/workflows/execute", {"workflow_id": workflow["id"]})
    return str(started["instance_id"])


async def stored_output(
    services: Services, owner: psycopg.Connection, organization: Organization, instance_id: str,
    *, environment: str = "live", content: bytes = b'"large"',
) -> StoredFile:  # fmt: skip
    """The run's output, as a file that its row refers to."""
    key = StorageKey.of(organization.id, environment, "runs", new_id("file"))
    stored = await services.storage.put(key, content)
    refer(owner, organization, instance_id, stored.as_json())
    return stored


def refer(
    owner: psycopg.Connection, organization: Organization, instance_id: str, file: Mapping[str, Any] | None
) -> None:
    owner.execute(
        "update workflow_instances set output_ref = %s where org_id = %s and id = %s",
        (None if file is None else Jsonb(file), organization.id, instance_id),
    )


async def files_of(services: Services, organization: Organization) -> list[str]:
    return sorted([file.key async for file in services.storage.walk(f"{organization.id}/")])
