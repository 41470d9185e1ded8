"""Every query on contacts, each built from the caller."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from sqlalchemy import Select, update

from bivelio_server.contacts.models import Contact
from bivelio_server.contacts.schemas import ContactHistory, ContactList, Duplicate
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import is_well_formed
from bivelio_server.kit.rows import business, identity, only
from bivelio_server.kit.search import search_words

MAX_DUPLICATES: Final = 5
_LIST: Final = """
    select found.total, c.id, c.type, c.name, c.email, c.phone, c.phone_e164, c.company_id, c.tags, c.custom_fields,
           c.version, c.created_at, c.updated_at, c.deleted_at
      from search_contacts(%(words)s, %(type)s, %(tags)s, %(company_id)s, %(deleted_after)s, %(sort)s, %(limit)s,
                           %(offset)s) found
      left join lateral unnest(found.ids) with ordinality as listed (id, position) on true
      left join contacts c on c.org_id = %(org_id)s and c.environment = %(environment)s and c.id = listed.id
     order by listed.position
"""
# Each half by its own index, whatever the planner thinks of an `or` with a limit.
_DUPLICATES: Final = """
    with same as materialized (
        select id from contacts
         where org_id = %(org_id)s and environment = %(environment)s and email_key = %(email_key)s
         union
        select id from contacts
         where org_id = %(org_id)s and environment = %(environment)s and phone_e164 = %(phone_e164)s
    )
    select c.id, c.name, c.email_key, c.phone_e164
      from same join contacts c on c.org_id = %(org_id)s and c.environment = %(environment)s and c.id = same.id
     where c.deleted_at is null and c.id <> %(id)s
     order by c.created_at, c.id limit %(limit)s
"""


_HISTORY: Final = """
    select a.at, a.operation, a.actor, a.on_behalf_of, a.before, a.after,
           (select (e.after ->> 'version')::int from audit_log e
             where e.org_id = a.org_id and e.environment = a.environment and e.resource_type = a.resource_type
               and e.resource_id = a.resource_id and (e.at, e.id) <= (a.at, a.id) and e.after ? 'version'
             order by e.at desc, e.id desc limit 1) as version
      from audit_log a
     where a.org_id = %(org_id)s and a.environment = %(environment)s and a.resource_type = 'contacts'
       and a.resource_id = %(id)s
     order by a.at desc, a.id desc limit %(limit)s offset %(offset)s
"""
_HISTORY_LENGTH: Final = """
    select count(*) as total from audit_log
     where org_id = %(org_id)s and environment = %(environment)s and resource_type = 'contacts'
       and resource_id = %(id)s
"""


class Lock(StrEnum):
    """What others must wait to do until the transaction ends: `share` lets them read the row for sharing too."""

    share = "share"
    update = "update"


async def list_contacts(
    context: Context, data: ContactList, *, deleted_after: datetime
) -> tuple[list[dict[str, object]], int]:
    """One page of contacts as plain fields, and how many there are in all; deleted ones if still restorable."""
    rows = await context.session.run(
        _LIST,
        {
            **identity(context.caller),
            "words": search_words(data.search),
            "type": data.type,
            "tags": data.tags,
            "company_id": data.company_id,
            "deleted_after": deleted_after if data.deleted else None,
            "sort": data.sort,
            "limit": data.per_page,
            "offset": data.offset,
        },
    )
    return [row._asdict() for row in rows if row.id is not None], rows[0].total


async def get(context: Context, contact_id: str, *, field: str = "id", lock: Lock | None = None) -> Contact:
    """A contact that is not deleted. Raises NotFound, naming the input `field`."""
    return await only(context.session, _locked(_present(context), lock), contact_id, field=field)


async def get_any(context: Context, contact_id: str) -> Contact:
    """A contact, deleted or not. Raises NotFound."""
    return await only(context.session, business(Contact, context.caller), contact_id)


async def history(context: Context, data: ContactHistory) -> tuple[list[Any], int]:
    """What the audit log tells of the contact, newest first, and how many entries there are in all."""
    key = {**identity(context.caller), "id": data.id}
    rows = await context.session.run(_HISTORY, {**key, "limit": data.per_page, "offset": data.offset})
    [counted] = await context.session.run(_HISTORY_LENGTH, key)
    return rows, counted.total


async def find_company(context: Context, company_id: str | None) -> Contact | None:
    """The contact that is to be a company, kept as it is until the transaction ends; None when there is none."""
    if company_id is None or not is_well_formed(company_id):
        return None
    query = _locked(_present(context).where(Contact.id == company_id), Lock.share)
    found: Contact | None = await context.session.scalar(query)
    return found


async def get_deleted(context: Context, contact_id: str, *, since: datetime) -> Contact:
    """A contact deleted after `since`, locked. Raises NotFound."""
    deleted = business(Contact, context.caller).where(Contact.deleted_at > since)
    return await only(context.session, _locked(deleted, Lock.update), contact_id)


async def find_duplicates(context: Context, contact: Contact) -> list[Duplicate]:
    """Other contacts with the same e-mail or phone, at most MAX_DUPLICATES."""
    if not contact.email_key and not contact.phone_e164:
        return []
    looked_for = {"id": contact.id, "email_key": contact.email_key, "phone_e164": contact.phone_e164}
    rows = await context.session.run(_DUPLICATES, {**identity(context.caller), **looked_for, "limit": MAX_DUPLICATES})
    return [
        Duplicate(id=row.id, name=row.name, matches=_matches(contact, row.email_key, row.phone_e164)) for row in rows
    ]


async def rename_company(context: Context, company_id: str, folded_name: str) -> None:
    """Let the company's people be found under its new name."""
    await context.session.execute(
        update(Contact)
        .where(
            Contact.org_id == context.caller.org_id,
            Contact.environment == context.caller.environment.value,
            Contact.company_id == company_id,
        )
        .values(company_search=folded_name)
        .execution_options(synchronize_session=False)
    )


def _present(context: Context) -> Select[Contact]:
    return business(Contact, context.caller).where(Contact.deleted_at.is_(None))


def _locked(query: Select[Contact], lock: Lock | None) -> Select[Contact]:
    return query.with_for_update(read=lock is Lock.share) if lock else query


def _matches(contact: Contact, email_key: str | None, phone_e164: str | None) -> list[Literal["email", "phone"]]:
    matches: list[Literal["email", "phone"]] = []
    if contact.email_key and contact.email_key == email_key:
        matches.append("email")
    if contact.phone_e164 and contact.phone_e164 == phone_e164:
        matches.append("phone")
    return matches
