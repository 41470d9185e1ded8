"""Contacts: the people and companies that an organisation knows.

The reference module: new features copy its shape (schemas, models, queries, events, operations).
"""

from datetime import datetime
from typing import Final

from bivelio_server.contacts import queries
from bivelio_server.contacts.events import CREATED, UPDATED
from bivelio_server.contacts.models import Contact as ContactRow
from bivelio_server.contacts.queries import Lock
from bivelio_server.contacts.rules import derived, merged
from bivelio_server.contacts.schemas import (
    Contact,
    ContactCreate,
    ContactList,
    ContactPage,
    ContactReference,
    ContactUpdate,
    SavedContact,
)
from bivelio_server.events.recording import record
from bivelio_server.kit import json
from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, NotFound, Problem, StaleVersion, null_refused
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.rows import RESTORABLE, identity, require_version
from bivelio_server.kit.text import Text, fold

feature: Final = Feature("contacts")


@feature.operation(
    "list", path="/v1/contacts", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Lista o busca contactos", "List or search contacts"),
)  # fmt: skip
async def list_contacts(context: Context, data: ContactList) -> ContactPage:
    if data.company_id is not None:
        await queries.get(context, data.company_id, field="company_id")
    contacts, total = await queries.list_contacts(context, data, deleted_after=restorable_since(context))
    return ContactPage.model_validate({"contacts": contacts, "pagination": Pagination.of(data, total)})


@feature.operation(
    "get", scope=Scope.read, effect=Effect.read, errors=[NotFound],
    summary=Text("Obtiene un contacto", "Get a contact"),
)  # fmt: skip
async def get(context: Context, data: ContactReference) -> Contact:
    return _view(await queries.get(context, data.id))


@feature.operation(
    "create", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Impossible],
    summary=Text("Crea un contacto", "Create a contact"),
)  # fmt: skip
async def create(context: Context, data: ContactCreate) -> SavedContact:
    now = context.now
    row = ContactRow(
        **identity(context.caller), **data.model_dump(), id=new_id("ct"), version=1, created_at=now, updated_at=now
    )
    row.custom_fields = merged({}, data.custom_fields)
    _assign_company(row, data.company_id, await queries.find_company(context, data.company_id))
    _normalise(row)
    context.session.add(row)
    await context.session.flush()
    await record(context, CREATED, _view(row))
    return await _saved(context, row)


@feature.operation(
    "update", scope=Scope.write, effect=Effect.transactional, errors=[NotFound, Impossible, StaleVersion],
    summary=Text("Actualiza un contacto", "Update a contact"),
)  # fmt: skip
async def update(context: Context, data: ContactUpdate) -> SavedContact:
    # The company is locked before its people, here as in a rename: two updates never wait for each other.
    company = await queries.find_company(context, data.company_id)
    row = await queries.get(context, data.id, lock=Lock.update)
    require_version(row, data.if_version)
    before = _view(row)
    _apply(row, data, company)
    if json.dumps(_view(row).model_dump()) != json.dumps(before.model_dump()):
        await _save_change(context, row)
    if row.type == "company" and row.name != before.name:
        await queries.rename_company(context, row.id, fold(row.name))
    return await _saved(context, row)


@feature.operation(
    "delete", scope=Scope.write, effect=Effect.transactional, errors=[NotFound], irreversible=False,
    summary=Text("Borra un contacto; se puede restaurar durante 30 días", "Delete a contact; restorable for 30 days"),
)  # fmt: skip
async def delete(context: Context, data: ContactReference) -> Contact:
    row = await queries.get(context, data.id, lock=Lock.update)
    row.deleted_at = context.now
    await context.session.flush()
    return _view(row)


@feature.operation(
    "restore", scope=Scope.write, effect=Effect.transactional, errors=[NotFound],
    summary=Text("Restaura un contacto borrado", "Restore a deleted contact"),
)  # fmt: skip
async def restore(context: Context, data: ContactReference) -> Contact:
    row = await queries.get_deleted(context, data.id, since=restorable_since(context))
    row.deleted_at = None
    await _save_change(context, row)
    return _view(row)


def restorable_since(context: Context) -> datetime:
    return context.now - RESTORABLE


def _apply(row: ContactRow, data: ContactUpdate, company: ContactRow | None) -> None:
    given = data.model_dump(include=data.model_fields_set - {"id", "if_version", "company_id", "custom_fields"})
    for name, value in given.items():
        if value is None and name in ("name", "tags"):
            raise null_refused(name)
        setattr(row, name, value)
    if "custom_fields" in data.model_fields_set:
        row.custom_fields = merged(row.custom_fields, data.custom_fields)
    if "company_id" in data.model_fields_set and data.company_id != row.company_id:
        _assign_company(row, data.company_id, company)
    _normalise(row)


async def _save_change(context: Context, row: ContactRow) -> None:
    row.updated_at = context.now
    row.version += 1
    await context.session.flush()
    await record(context, UPDATED, _view(row))


def _assign_company(row: ContactRow, company_id: str | None, company: ContactRow | None) -> None:
    if company_id is None:
        row.company_id, row.company_search = None, ""
        return
    if company is None:
        raise NotFound("company_id")
    if company.type != "company" or company is row:
        raise Impossible(Problem("company_id", "company", _NOT_A_COMPANY))
    row.company_id, row.company_search = company.id, fold(company.name)


def _normalise(row: ContactRow) -> None:
    for name, value in derived(row.name, row.email, row.phone).items():
        setattr(row, name, value)


def _view(row: ContactRow) -> Contact:
    return Contact.model_validate(row)


async def _saved(context: Context, row: ContactRow) -> SavedContact:
    duplicates = await queries.find_duplicates(context, row)
    return SavedContact(possible_duplicates=duplicates, **_view(row).model_dump())


_NOT_A_COMPANY: Final = Text(
    "El campo 'company_id' debe ser una empresa distinta del propio contacto.",
    "The field 'company_id' must be a company other than the contact itself.",
)
