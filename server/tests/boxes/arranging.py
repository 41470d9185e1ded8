"""What the tests of boxes share."""

import base64
from typing import Any
from uuid import UUID

import psycopg.types.json

from tests.world import Client, Organization

Json = dict[str, Any]
MANUAL = "Manual de la caldera. La presión de trabajo es de 1,5 bar; por debajo de 1 bar, rellenar el circuito."


def content(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


async def a_box(client: Client, name: str = "Manuales", **fields: Any) -> str:
    """The id of a fresh box of the client's."""
    made = await client.call("/v1/boxes/create", {"name": name, **fields})
    return str(made["id"])


async def add(client: Client, box_id: str, text: str | bytes = MANUAL, filename: str = "manual.txt") -> Json:
    data = {"box_id": box_id, "filename": filename, "content_base64": content(text)}
    made: Json = await client.call("/v1/boxes/files/add", data)
    return made


async def files(client: Client, box_id: str, **asked: Any) -> list[Json]:
    """What is listed of the box's files."""
    found = await client.call("/v1/boxes/files/list", {"box_id": box_id, **asked})
    listed: list[Json] = found["files"]
    return listed


async def share(client: Client, box_id: str, email: str, role: str) -> Json:
    member: Json = await client.call("/v1/boxes/members/set", {"box_id": box_id, "email": email, "role": role})
    return member


def make_ready(organization: Organization, file_id: str, text: str = "Manual") -> None:
    """As the file is once its content, one passage, can be searched; the index included."""
    database = organization.world.database
    key = {"org": organization.id, "id": file_id, "text": text}
    database.execute(
        "insert into box_indexes (org_id, environment, box_id, version, generation, model, created_at)"
        " select org_id, environment, box_id, 0, 1, 'test', now() from box_files where org_id = %(org)s and id = %(id)s"
        " on conflict (org_id, environment, box_id) do nothing",
        key,
    )
    database.execute(
        "update box_indexes i set version = i.version + 1 from box_files f where f.org_id = %(org)s and f.id = %(id)s"
        " and i.org_id = f.org_id and i.environment = f.environment and i.box_id = f.box_id",
        key,
    )
    database.execute(
        "with made as (update box_files f set state = 'ready', progress = 1, ready_revision = f.revision,"
        "   seq = i.version, page_count = 1, chunk_count = 1, ready_at = now() from box_indexes i"
        "   where f.org_id = %(org)s and f.id = %(id)s and i.org_id = f.org_id and i.environment = f.environment"
        "   and i.box_id = f.box_id returning f.*)"
        " insert into box_segments (org_id, environment, box_id, generation, seq, file_id, revision, chunks, vectors,"
        "   terms, created_at)"
        " select org_id, environment, box_id, 1, seq, id, revision, 1, '', '', now() from made",
        key,
    )
    database.execute(
        "insert into box_pages select org_id, environment, id, revision, 1, %(text)s, now() from box_files"
        " where org_id = %(org)s and id = %(id)s",
        key,
    )
    database.execute(
        "insert into box_chunks"
        " select org_id, environment, id, revision, 0, 'd', null, %(text)s, 1, 1, 0, length(%(text)s::text), now()"
        " from box_files where org_id = %(org)s and id = %(id)s",
        key,
    )


def make_failed(organization: Organization, file_id: str) -> None:
    error = {"code": "VALIDATION_ERROR", "field": "content_base64", "constraint": "encrypted",
             "message": {"es": "Cifrado.", "en": "Encrypted."}}  # fmt: skip
    organization.world.database.execute(
        "update box_files set state = 'failed', error = %s where org_id = %s and id = %s",
        (psycopg.types.json.Jsonb(error), organization.id, file_id),
    )


def index_version(organization: Organization, box_id: str) -> int:
    """What every process asks before it answers from what it knows of the box."""
    row = organization.world.database.execute(
        "select version from box_indexes where org_id = %s and box_id = %s", (organization.id, box_id)
    ).fetchone()
    assert row is not None
    return int(row[0])


def tasks_of(organization: Organization, file_id: str) -> list[UUID | None]:
    rows = organization.world.database.execute(
        "select task_id from box_files where org_id = %s and id = %s", (organization.id, file_id)
    )
    return [task_id for (task_id,) in rows]
