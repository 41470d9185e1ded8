"""Every query on jobs, their errors and their files, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select

from bivelio_server.jobs.models import Job, JobError
from bivelio_server.jobs.schemas import JobList
from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.db import Transaction
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.rows import business, identity, only, page_of

_LOAD: Final = """
    select j.org_id, j.environment, j.id, j.operation, j.status, j.progress, j.counts, j.params, j.cursor, j.failures,
           j.errors_count, j.depth, j.created_by, j.on_behalf_of, j.rights, j.door, j.request_id, j.address,
           j.created_at, p.scopes, p.user_id, p.role, p.plan, p.key_type,
           pg_try_advisory_xact_lock_shared(hashtextextended(j.id, 0)) as may_go_on,
           case when pg_try_advisory_xact_lock(hashtextextended('jobs 1 ' || j.org_id || j.environment, 0)) then true
                else pg_try_advisory_xact_lock(hashtextextended('jobs 2 ' || j.org_id || j.environment, 0))
           end as has_place
      from jobs j left join lateral present_rights(coalesce(j.on_behalf_of, j.created_by), %(now)s) p on true
     where j.org_id = %(org_id)s and j.environment = %(environment)s and j.id = %(id)s
       for update of j
"""
_STOP: Final = "select pg_advisory_xact_lock(hashtextextended(%(id)s, 0))"
_SAVE: Final = """
    update jobs
       set status = %(status)s, progress = %(progress)s, counts = cast(%(counts)s as jsonb),
           params = cast(%(params)s as jsonb), cursor = cast(%(cursor)s as jsonb),
           result = cast(%(result)s as jsonb), failures = 0, errors_count = %(errors_count)s,
           started_at = coalesce(started_at, %(now)s), finished_at = %(finished_at)s
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""
_ADD_ERRORS: Final = """
    insert into job_errors (org_id, environment, job_id, number, row, field, code, message_es, message_en)
    select %(org_id)s, %(environment)s, %(id)s, number, row, field, code, message_es, message_en
      from jsonb_to_recordset(cast(%(errors)s as jsonb)) as given(
           number int, row int, field text, code text, message_es text, message_en text)
"""
_COUNT_FAILURE: Final = """
    update jobs set failures = failures + 1
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s and finished_at is null
    returning failures
"""
_FAIL: Final = """
    update jobs
       set status = 'failed', error = cast(%(error)s as jsonb), finished_at = %(now)s, params = '{}', cursor = '{}',
           counts = jsonb_set(counts, '{errors}', to_jsonb(coalesce((counts ->> 'errors')::int, 0) + 1)),
           started_at = coalesce(started_at, %(now)s)
     where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s and finished_at is null
"""
#: The next files, about as many bytes of them as can be searched in a second.
_MENTIONING: Final = """
    with following as materialized (
        select f.id, f.job_id, sum(f.bytes) over (order by f.id) - f.bytes as before
          from job_files f
         where f.org_id = %(org_id)s and f.environment = %(environment)s and f.id > %(after)s
         order by f.id limit 100
    )
    select w.id as file_id, j.id, case when j.finished_at is null then j.task_id end as task_id, exists (
        select from job_file_pieces p
         where p.org_id = j.org_id and p.environment = j.environment and p.file_id = w.id
           and mentions(readable(p.content), %(mentioned)s)) as mentioning
      from following w
      join jobs j on j.org_id = %(org_id)s and j.environment = %(environment)s and j.id = w.job_id
     where w.before < 8388608
     order by w.id
"""
_MAKE_FILE: Final = """
    insert into job_files (org_id, environment, id, job_id, role, name, media_type, bytes, created_at)
    values (%(org_id)s, %(environment)s, %(file_id)s, %(job_id)s, %(role)s, %(name)s, %(media_type)s, 0, %(now)s)
"""
_ADD_PIECES: Final = """
    with added as (
        insert into job_file_pieces (org_id, environment, file_id, number, content)
        select %(org_id)s, %(environment)s, f.id, %(first)s + place - 1, content
          from job_files f, unnest(cast(%(contents)s as bytea[])) with ordinality as given (content, place)
         where f.org_id = %(org_id)s and f.environment = %(environment)s and f.job_id = %(job_id)s
           and f.role = %(role)s
    )
    update job_files set bytes = bytes + %(size)s
     where org_id = %(org_id)s and environment = %(environment)s and job_id = %(job_id)s and role = %(role)s
    returning id
"""
_PIECES: Final = """
    select p.content
      from job_files f
      join job_file_pieces p on p.org_id = f.org_id and p.environment = f.environment and p.file_id = f.id
     where f.org_id = %(org_id)s and f.environment = %(environment)s and f.job_id = %(job_id)s and f.role = %(role)s
       and p.number = any (%(numbers)s)
     order by p.number
"""
_FORGET_FILES: Final = """
    delete from job_files
     where org_id = %(org_id)s and environment = %(environment)s and job_id = %(job_id)s
       and role = any (%(roles)s)
"""
_FILE: Final = """
    select name, media_type, bytes from job_files
     where org_id = %(org_id)s and environment = %(environment)s and id = %(file_id)s
"""
_FILE_PIECE: Final = """
    select content from job_file_pieces
     where org_id = %(org_id)s and environment = %(environment)s and file_id = %(file_id)s and number = %(number)s
"""
_HAS_FILE: Final = """
    select id from job_files
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(file_ids)s)
"""


async def get(context: Context, job_id: str) -> Job:
    """A job of the caller's. Raises NotFound."""
    return await only(context.session, business(Job, context.caller), job_id)


async def get_locked(context: Context, job_id: str) -> Job:
    """A job as it is now, kept so until the transaction ends. Raises NotFound."""
    query = business(Job, context.caller).with_for_update().execution_options(populate_existing=True)
    return await only(context.session, query, job_id)


async def stop(context: Context, job_id: str) -> None:
    """Wait for the batch that is under way, and let the job begin no other until this transaction ends."""
    await context.session.run(_STOP, {"id": job_id})


async def page(context: Context, data: JobList) -> tuple[list[Job], int]:
    query: Select[Job] = business(Job, context.caller)
    if data.status is not None:
        query = query.where(Job.status == data.status)
    if data.operation is not None:
        query = query.where(Job.operation == data.operation)
    return await page_of(context.session, query.order_by(Job.created_at.desc(), Job.id.desc()), data)


async def errors_of(context: Context, job_id: str) -> list[JobError]:
    query = select(JobError).where(
        JobError.org_id == context.caller.org_id,
        JobError.environment == context.caller.environment.value,
        JobError.job_id == job_id,
    )
    return list(await context.session.scalars(query.order_by(JobError.row, JobError.number)))


async def load(session: Transaction, key: dict[str, Any]) -> Any:
    """The job with the present rights of who started it, kept as it is until the transaction ends; None when gone.

    It `may_go_on` unless somebody has called `stop`. It `has_place` unless two jobs of its organisation and environment
    are in the middle of a batch: those must not take every slot there is.
    """
    rows = await session.run(_LOAD, key)
    return rows[0] if rows else None


async def save(session: Transaction, key: dict[str, Any], state: dict[str, Any], now: datetime) -> None:
    """Where the job stands after a batch."""
    objects = {name: _json(state[name]) for name in ("counts", "params", "cursor", "result")}
    await session.run(_SAVE, {**key, **state, **objects, "now": now})


async def add_errors(session: Transaction, key: dict[str, Any], errors: list[dict[str, Any]]) -> None:
    if errors:
        await session.run(_ADD_ERRORS, {**key, "errors": _json(errors)})


async def count_failure(session: Transaction, key: dict[str, Any]) -> int:
    """How many batches have failed in a row, with this one."""
    rows = await session.run(_COUNT_FAILURE, key)
    return rows[0].failures if rows else 0


async def fail(session: Transaction, key: dict[str, Any], error: dict[str, Any], now: datetime) -> None:
    """End the job with this error, which counts among its errors."""
    await session.run(_FAIL, {**key, "error": _json(error), "now": now})


async def make_file(context: Context, job_id: str, role: str, *, name: str, media_type: str) -> str:
    """An empty file of the job; its id."""
    file_id = new_id("file")
    row = {"file_id": file_id, "job_id": job_id, "role": role, "name": name, "media_type": media_type}
    await context.session.run(_MAKE_FILE, {**identity(context.caller), **row, "now": context.now})
    return file_id


async def add_pieces(context: Context, job_id: str, role: str, first: int, contents: Sequence[bytes]) -> str | None:
    """Append to the job's file of this role; its id, None when there is no such file."""
    size = sum(map(len, contents))
    values = {"job_id": job_id, "role": role, "first": first, "contents": list(contents), "size": size}
    rows = await context.session.run(_ADD_PIECES, {**identity(context.caller), **values})
    return rows[0].id if rows else None


async def pieces(context: Context, job_id: str, role: str, numbers: Sequence[int]) -> list[bytes]:
    """Those pieces of the job's file of this role that there are, in order."""
    values = {"job_id": job_id, "role": role, "numbers": list(numbers)}
    rows = await context.session.run(_PIECES, {**identity(context.caller), **values})
    return [bytes(row.content) for row in rows]


async def forget_files(session: Transaction, key: dict[str, Any], job_id: str, *roles: str) -> None:
    await session.run(_FORGET_FILES, {**key, "job_id": job_id, "roles": list(roles)})


async def existing_files(context: Context, file_ids: list[str]) -> set[str]:
    rows = await context.session.run(_HAS_FILE, {**identity(context.caller), "file_ids": file_ids})
    return {row.id for row in rows}


async def files_that_mention(
    context: Context, mentioned: Sequence[str], after: str
) -> tuple[str | None, dict[str, UUID | None]]:
    """Of the next files after that id: where it got to (None at the end), and the jobs whose files mention one of these
    texts, with the tasks of those that have not ended."""
    values = {"mentioned": list(mentioned), "after": after}
    rows = await context.session.run(_MENTIONING, {**identity(context.caller), **values})
    return rows[-1].file_id if rows else None, {row.id: row.task_id for row in rows if row.mentioning}


async def file(session: Transaction, key: dict[str, Any]) -> Any:
    """Name, media type and length of a file; None when there is none."""
    rows = await session.run(_FILE, key)
    return rows[0] if rows else None


async def file_piece(session: Transaction, key: dict[str, Any], number: int) -> bytes | None:
    rows = await session.run(_FILE_PIECE, {**key, "number": number})
    return bytes(rows[0].content) if rows else None


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value).decode()
