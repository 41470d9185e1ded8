"""Whole sets of contacts at once: a statement or two a batch, each built from the caller."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.rows import identity
from bivelio_server.kit.search import search_words

_COLUMNS: Final = """c.id, c.type, c.name, c.email, c.email_key, c.phone, c.phone_e164, c.company_id, c.tags,
           c.custom_fields, c.own_search, c.company_search, c.version, c.created_at, c.updated_at, c.deleted_at"""
_TYPES: Final = """id text, type text, name text, email text, email_key text, phone text, phone_e164 text,
           company_id text, tags text[], custom_fields jsonb, own_search text, company_search text, version int"""
_BY_EMAIL: Final = f"""
    select {_COLUMNS} from contacts c
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.deleted_at is null
       and c.email_key = any (%(keys)s)
     order by c.id for update
"""  # noqa: S608 - parts of this file
_BY_PHONE: Final = _BY_EMAIL.replace("email_key = any", "phone_e164 = any")
_BY_ID: Final = f"""
    select {_COLUMNS} from contacts c
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.id = any (%(ids)s)
     order by c.id
"""  # noqa: S608 - parts of this file
_BY_ID_LOCKED: Final = _BY_ID.replace("order by", "and c.deleted_at is null order by") + " for update"
_EXISTING: Final = """
    select id from contacts
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s) and deleted_at is null
"""
_COMPANIES: Final = """
    select id, name from contacts
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s) and type = 'company'
       and deleted_at is null
     order by id for share
"""
_COMPANIES_NAMED: Final = "select name, id from companies_named(%(names)s)"
_INSERT: Final = f"""
    insert into contacts (org_id, environment, id, type, name, email, email_key, phone, phone_e164, company_id, tags,
                          custom_fields, own_search, company_search, version, created_at, updated_at)
    select %(org_id)s, %(environment)s, r.*, %(now)s, %(now)s
      from jsonb_to_recordset(cast(%(rows)s as jsonb)) as r({_TYPES})
"""  # noqa: S608 - parts of this file
_UPDATE: Final = f"""
    update contacts c
       set name = r.name, email = r.email, email_key = r.email_key, phone = r.phone, phone_e164 = r.phone_e164,
           company_id = r.company_id, tags = r.tags, custom_fields = r.custom_fields, own_search = r.own_search,
           company_search = r.company_search, version = r.version, updated_at = %(now)s
      from jsonb_to_recordset(cast(%(rows)s as jsonb)) as r({_TYPES})
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.id = r.id
"""  # noqa: S608 - parts of this file
_RENAME: Final = """
    update contacts c set company_search = r.folded
      from jsonb_to_recordset(cast(%(rows)s as jsonb)) as r(id text, folded text)
     where c.org_id = %(org_id)s and c.environment = %(environment)s and c.company_id = r.id
"""
_DELETE: Final = """
    update contacts set deleted_at = %(now)s
     where org_id = %(org_id)s and environment = %(environment)s and id = any (%(ids)s) and deleted_at is null
    returning id
"""
_MATCHING: Final = """
    select id from contacts_matching(%(words)s, %(type)s, %(tags)s, %(company_id)s, %(deleted_after)s, %(after)s,
                                     %(limit)s) as matching (id)
"""
_CUSTOM_NAMES: Final = """
    select distinct field.name from contacts c, jsonb_object_keys(c.custom_fields) as field (name)
     where c.org_id = %(org_id)s and c.environment = %(environment)s
     order by field.name limit %(limit)s
"""


_FORMER: Final = """
    select distinct v ->> 'name' as name, v ->> 'email' as email, v ->> 'phone' as phone,
           v ->> 'phone_e164' as phone_e164
      from audit_log, unnest(array[before, after]) as v
     where org_id = %(org_id)s and environment = %(environment)s and resource_type = 'contacts'
       and resource_id = %(id)s and v ?| array['name', 'email', 'phone', 'phone_e164']
"""
_LOCALE: Final = "select locale from organizations where id = %(org_id)s"
_PERSONAL_TABLES: Final = "select name from personal_tables() as tables (name)"
_ERASE: Final = "select last, erased from erase_person(%(job_id)s, %(table)s, %(after)s, %(limit)s)"
_LEAVE_COMPANY: Final = """
    update contacts
       set company_id = null, company_search = '', version = version + 1, updated_at = %(now)s
     where org_id = %(org_id)s and environment = %(environment)s and company_id = %(id)s
    returning id, version
"""
_REMOVE: Final = """
    delete from contacts where org_id = %(org_id)s and environment = %(environment)s and id = %(id)s
"""


async def by_key(context: Context, field: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Contacts with one of these e-mails (`field` is email) or numbers (phone), locked."""
    if not keys:
        return []
    sql = _BY_EMAIL if field == "email" else _BY_PHONE
    return await _rows(context, sql, keys=list(keys))


async def by_id(context: Context, ids: Sequence[str]) -> list[dict[str, Any]]:
    """In the order of their ids, deleted ones too."""
    return await _rows(context, _BY_ID, ids=list(ids))


async def by_id_locked(context: Context, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Those that are not deleted, kept as they are until the transaction ends."""
    return await _rows(context, _BY_ID_LOCKED, ids=list(ids))


async def existing(context: Context, ids: Sequence[str]) -> set[str]:
    return {row["id"] for row in await _rows(context, _EXISTING, ids=list(ids))}


async def companies(context: Context, ids: Sequence[str]) -> dict[str, str]:
    """The names of these companies, by id; they stay as they are until the transaction ends."""
    rows = await _rows(context, _COMPANIES, ids=list(ids)) if ids else []
    return {row["id"]: row["name"] for row in rows}


async def companies_named(context: Context, names: Sequence[str]) -> dict[str, str]:
    """The ids of companies, by their names as asked for; case does not matter."""
    rows = await _rows(context, _COMPANIES_NAMED, names=list(names)) if names else []
    return {row["name"]: row["id"] for row in rows}


async def insert(context: Context, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await context.session.run(_INSERT, {**identity(context.caller), "rows": _json(rows), "now": context.now})


async def update(context: Context, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        await context.session.run(_UPDATE, {**identity(context.caller), "rows": _json(rows), "now": context.now})


async def rename_companies(context: Context, folded: dict[str, str]) -> None:
    """Let the people of these companies be found under their new names."""
    rows = [{"id": company_id, "folded": name} for company_id, name in folded.items()]
    if rows:
        await context.session.run(_RENAME, {**identity(context.caller), "rows": _json(rows)})


async def delete(context: Context, ids: Sequence[str]) -> list[str]:
    """The ids of those that were not deleted before."""
    return [row["id"] for row in await _rows(context, _DELETE, ids=list(ids), now=context.now)]


async def matching(
    context: Context, filters: dict[str, Any], *, deleted_after: datetime | None, after: str, limit: int
) -> list[str]:
    """The next ids after `after` of what `contacts.list` would show, in their order."""
    values = {
        "words": search_words(filters.get("search")),
        "type": filters.get("type"),
        "tags": filters.get("tags", []),
        "company_id": filters.get("company_id"),
        "deleted_after": deleted_after,
    }
    return [row["id"] for row in await _rows(context, _MATCHING, **values, after=after, limit=limit)]


async def custom_names(context: Context, limit: int) -> list[str]:
    """The names of custom fields in use, in alphabetical order."""
    return [row["name"] for row in await _rows(context, _CUSTOM_NAMES, limit=limit)]


async def former_values(context: Context, contact_id: str) -> list[dict[str, Any]]:
    """Names, e-mails and phones that the contact's history knows of."""
    return await _rows(context, _FORMER, id=contact_id)


async def locale(context: Context) -> str:
    """The organisation's."""
    [row] = await _rows(context, _LOCALE)
    return str(row["locale"])


async def personal_tables(context: Context) -> list[str]:
    """Tables with columns that are marked as personal, but for those that an erasure handles by itself."""
    return [row["name"] for row in await _rows(context, _PERSONAL_TABLES)]


async def erase_person(
    context: Context, job_id: str, table: str, *, after: str | None, limit: int
) -> tuple[str | None, int]:
    """Blank what `limit` rows of the table say of the person whom the job erases: where it got to (None at the end),
    and how many rows said something."""
    [row] = await _rows(context, _ERASE, job_id=job_id, table=table, after=after, limit=limit)
    return row["last"], row["erased"]


async def leave_company(context: Context, company_id: str) -> list[dict[str, Any]]:
    """Id and new version of those who were of this company."""
    return await _rows(context, _LEAVE_COMPANY, id=company_id, now=context.now)


async def remove(context: Context, contact_id: str) -> None:
    await _rows(context, _REMOVE, id=contact_id)


async def _rows(context: Context, statement: str, **values: Any) -> list[dict[str, Any]]:
    found = await context.session.run(statement, {**identity(context.caller), **values})
    return [row._asdict() for row in found]


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows).decode()
