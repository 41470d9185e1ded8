"""The job behind `contacts.import`: a thousand rows a batch, in a handful of statements."""

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from bivelio_server.contacts import sets
from bivelio_server.contacts.columns import Column
from bivelio_server.contacts.drafts import Draft, read_drafts, refusal
from bivelio_server.contacts.events import CREATED, UPDATED
from bivelio_server.contacts.rules import derived, merged
from bivelio_server.contacts.schemas import Contact
from bivelio_server.events.recording import record
from bivelio_server.jobs.kinds import Batch, JobKind
from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import parse_phone
from bivelio_server.kit.text import Text, fold

MAX_TAGS: Final = 50
#: What the history of a contact shows; the other columns follow from these.
SHOWN: Final = ("id", "type", "name", "email", "phone", "phone_e164", "company_id", "tags", "custom_fields", "version",
                "created_at", "updated_at", "deleted_at")  # fmt: skip
_DIGEST_BYTES: Final = 8


async def run_batch(batch: Batch) -> None:
    number = batch.cursor.get("piece", 0)
    piece = await batch.input_piece(number)
    if piece is not None:
        if batch.params["dry_run"]:
            await _Rehearsal(batch, number).run(piece)
        else:
            await _Import(batch).run(piece)
    batch.cursor["piece"] = number + 1
    batch.progress = (number + 1) / batch.params["pieces"]
    if number + 1 >= batch.params["pieces"]:
        batch.finish({"dry_run": batch.params["dry_run"], "mapping": batch.params["mapping"]})


KIND: Final = JobKind("contacts.import", run_batch)


@dataclass(slots=True)
class _Planned:
    """A contact as it will be after the batch, and as it was (None: it is new), after so many rows that update it."""

    before: dict[str, Any] | None
    now: dict[str, Any]
    rows: int = 0


@dataclass(slots=True)
class _Companies:
    """The companies that rows of the batch name: by id (their names), by their name (their ids), and those to make."""

    names: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    new: dict[str, _Planned] = field(default_factory=dict)


class _Import:
    """One piece of the file: what its rows say is put together first, then written at once."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._context = batch.context
        self._params = batch.params
        self._planned: dict[str, _Planned] = {}
        self._by_key: dict[str, _Planned] = {}
        self._companies = _Companies()

    async def run(self, piece: bytes) -> None:
        drafts = await self._read(piece)
        await self._find_companies(drafts)
        await self._find_contacts(drafts)
        for draft in drafts:
            self._take(draft)
        await self._write()

    async def _read(self, piece: bytes) -> list[Draft]:
        """In a thread: a second of validation must not hold up other work of this process."""
        rows = json.loads_trusted(piece)
        columns = [Column(place, name) for place, name in self._params["columns"]]
        drafts, problems = await asyncio.to_thread(read_drafts, rows, columns)
        self._batch.refuse(*problems)
        self._batch.count("rows", len(rows))
        self._batch.count("failed", len(rows) - len(drafts))
        return drafts

    async def _find_companies(self, drafts: list[Draft]) -> None:
        """Those that a name stands for are made when there are none."""
        given_ids = {draft.given.company_id for draft in drafts if draft.given.company_id}
        wanted = {draft.given.company.lower(): draft.given.company for draft in drafts if draft.given.company}
        found = await self._companies_named(sorted(wanted.values()))
        self._companies.ids = {name.lower(): company_id for name, company_id in found.items()}
        ids = sorted(given_ids | set(found.values()))
        self._companies.names.update(await sets.companies(self._context, ids))
        for key, name in wanted.items():
            if key not in self._companies.ids:
                self._companies.new[key] = company = self._new({"type": "company", "name": name})
                self._companies.ids[key] = company.now["id"]
                self._companies.names[company.now["id"]] = name
                self._batch.count("companies_created")

    async def _companies_named(self, names: list[str]) -> dict[str, str]:
        return await sets.companies_named(self._context, names)

    async def _find_contacts(self, drafts: list[Draft]) -> None:
        """The oldest contact with a key is the one that it means."""
        keys = sorted({key for draft in drafts if (key := self._key(draft))})
        rows = await sets.by_key(self._context, self._params["match"], keys)
        for row in sorted(rows, key=lambda row: (row["created_at"], row["id"]), reverse=True):
            key = row["email_key"] if self._params["match"] == "email" else row["phone_e164"]
            self._by_key[key] = self._planned[row["id"]] = _Planned(row, dict(row))

    def _key(self, draft: Draft) -> str | None:
        match self._params["match"]:
            case "email":
                return draft.given.email.lower() if draft.given.email else None
            case "phone":
                return parse_phone(draft.given.phone) if draft.given.phone else None
        return None

    def _take(self, draft: Draft) -> None:
        key = self._key(draft)
        known = self._by_key.get(key) if key else None
        if known is not None and self._params["on_conflict"] == "skip":
            self._batch.count("skipped")
            return
        try:
            changed = self._changed(draft, known)
        except ValidationFailed as error:
            self._batch.refuse(*refusal(draft.row, error))
            self._batch.count("failed")
            return
        if known is None:
            planned = self._made_for_its_people(changed) or self._new(changed)
            self._batch.count("created")
            if key:
                self._by_key[key] = planned
        else:
            known.now.update(changed)
            known.rows += 1
            self._batch.count("updated")

    def _changed(self, draft: Draft, known: _Planned | None) -> dict[str, Any]:
        """What the row gives the contact, checked against what it has. Raises ValidationFailed."""
        given, present = draft.given, known.now if known else _EMPTY
        if known is None and given.name is None:
            raise _refused("name", "required", _REQUIRED)
        if known is not None and given.type not in (None, present["type"]):
            raise _refused("type", "immutable", _IMMUTABLE)
        changed = {name: value for name in ("name", "email", "phone") if (value := getattr(given, name)) is not None}
        tags = list(dict.fromkeys([*present["tags"], *given.tags, *self._params["tags"]]))
        if len(tags) > MAX_TAGS:
            raise _refused("tags", "max_items", _TOO_MANY_TAGS)
        changed["tags"] = tags
        changed["custom_fields"] = merged(present["custom_fields"], given.custom_fields)
        company_id = given.company_id or (self._companies.ids[given.company.lower()] if given.company else None)
        if company_id is not None:
            if company_id not in self._companies.names or company_id == present.get("id"):
                raise _refused("company_id", "company", _NO_COMPANY)
            changed["company_id"] = company_id
        return changed if known else {"type": given.type or "person", **changed}

    def _made_for_its_people(self, changed: dict[str, Any]) -> _Planned | None:
        """The company that other rows of the batch have named already, if this row is it."""
        if changed["type"] != "company":
            return None
        planned = self._companies.new.pop(changed["name"].lower(), None)
        if planned is not None:
            planned.now.update(changed)
            self._batch.count("companies_created", -1)
        return planned

    def _new(self, changed: dict[str, Any]) -> _Planned:
        planned = _Planned(None, {**_EMPTY, **changed, "id": new_id("ct")})
        self._planned[planned.now["id"]] = planned
        return planned

    async def _write(self) -> None:
        """Companies stand before their people in both statements, for they were planned first."""
        changed = self._changed_ones()
        for planned in changed:
            self._complete(planned)
        made = [planned for planned in changed if planned.before is None]
        kept = [planned for planned in changed if planned.before is not None]
        await sets.insert(self._context, [planned.now for planned in made])
        await sets.update(self._context, [planned.now for planned in kept])
        await sets.rename_companies(self._context, _renamed(kept))
        for planned in changed:
            remember(self._batch, planned.before, planned.now)
        if self._params["events"]:
            for planned in changed:
                event = CREATED if planned.before is None else UPDATED
                await record(self._context, event, Contact.model_validate(planned.now))

    def _changed_ones(self) -> list[_Planned]:
        """Those that differ from before; rows that changed nothing are counted so."""
        changed = []
        for planned in self._planned.values():
            now, before = planned.now, planned.before
            if before is None or any(now[name] != before[name] for name in _WRITABLE):
                changed.append(planned)
            else:
                self._batch.count("updated", -planned.rows)
                self._batch.count("unchanged", planned.rows)
        return changed

    def _complete(self, planned: _Planned) -> None:
        """Fill in what follows from the rest."""
        now, before = planned.now, planned.before
        now.update(derived(now["name"], now["email"], now["phone"]))
        if before is None or now["company_id"] != before["company_id"]:
            company = self._companies.names.get(now["company_id"] or "")
            now["company_search"] = fold(company) if company else ""
        now["version"] = 1 if before is None else before["version"] + 1
        now["updated_at"] = self._context.now
        if before is None:
            now["created_at"] = self._context.now


def _refused(name: str, code: str, text: Text) -> ValidationFailed:
    return ValidationFailed(Problem(name, code, text.format(field=name)))


def remember(batch: Batch, before: dict[str, Any] | None, now: dict[str, Any]) -> None:
    """Let the contact's history tell what changed."""
    if before is None:
        batch.context.changed("contacts", now["id"], None, {name: now[name] for name in SHOWN})
        return
    names = [name for name in SHOWN if now[name] != before[name]]
    batch.context.changed(
        "contacts", now["id"], {name: before[name] for name in names}, {name: now[name] for name in names}
    )


def _renamed(kept: list[_Planned]) -> dict[str, str]:
    return {
        planned.now["id"]: fold(planned.now["name"])
        for planned in kept
        if planned.now["type"] == "company" and planned.before and planned.now["name"] != planned.before["name"]
    }


class _Rehearsal(_Import):
    """What the import would do, without doing it.

    Each batch writes two pieces: the digests of the keys it touched, and what it would have made of their contacts.
    A later batch that meets such a key goes on from there.
    """

    def __init__(self, batch: Batch, piece: int) -> None:
        super().__init__(batch)
        self._piece = piece
        self._left_by: dict[bytes, int] = {}

    async def run(self, piece: bytes) -> None:
        if self._piece == 0:
            await self._batch.make_output(name="seen", media_type="application/octet-stream")
        for number, digests in enumerate(await self._batch.read_output(range(0, 2 * self._piece, 2))):
            for at in range(0, len(digests), _DIGEST_BYTES):
                self._left_by[digests[at : at + _DIGEST_BYTES]] = number
        await super().run(piece)

    async def _companies_named(self, names: list[str]) -> dict[str, str]:
        found = await super()._companies_named(names)
        left = await self._left({_company_key(name): name for name in names if name not in found})
        self._companies.names.update({state["id"]: state["name"] for state in left.values()})
        return {**found, **{name: state["id"] for name, state in left.items()}}

    async def _find_contacts(self, drafts: list[Draft]) -> None:
        await super()._find_contacts(drafts)
        keys = {key: key for draft in drafts if (key := self._key(draft))}
        for key, state in (await self._left(keys)).items():
            self._by_key[key] = self._planned[state["id"]] = _Planned(state, dict(state))

    async def _left(self, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
        """As what earlier batches left the contacts of these keys, by what each key is wanted for."""
        numbers = {key: self._left_by[digest] for key in wanted if (digest := _digest(key)) in self._left_by}
        if not numbers:
            return {}
        places = sorted(set(numbers.values()))
        pieces = await self._batch.read_output([2 * place + 1 for place in places])
        states = dict(zip(places, map(json.loads_trusted, pieces), strict=True))
        return {wanted[key]: states[number][_digest(key).hex()] for key, number in numbers.items()}

    async def _write(self) -> None:
        self._changed_ones()
        touched = {key: planned.now for key, planned in self._by_key.items() if planned.before is None or planned.rows}
        made = [planned.now for planned in self._planned.values() if planned.before is None]
        companies = {_company_key(now["name"]): now for now in made if now["type"] == "company"}
        states = {
            _digest(key): {name: now[name] for name in _KEPT_STATE} for key, now in {**touched, **companies}.items()
        }
        await self._batch.write_output(2 * self._piece, b"".join(states))
        left = json.dumps({digest.hex(): state for digest, state in states.items()})
        await self._batch.write_output(2 * self._piece + 1, left)


def _company_key(name: str) -> str:
    """No e-mail or phone has a space."""
    return f"company {name.lower()}"


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=_DIGEST_BYTES).digest()


_EMPTY: Final[dict[str, Any]] = {
    "type": "person", "name": None, "email": None, "phone": None, "company_id": None, "tags": [], "custom_fields": {},
    "company_search": "", "deleted_at": None,
}  # fmt: skip
_WRITABLE: Final = ("name", "email", "phone", "company_id", "tags", "custom_fields")
_KEPT_STATE: Final = ("id", "type", *_WRITABLE)
_REQUIRED: Final = Text("El campo '{field}' es obligatorio.", "The field '{field}' is required.")
_IMMUTABLE: Final = Text(
    "El contacto ya existe con otro '{field}', que no se puede cambiar.",
    "The contact exists already with another '{field}', which cannot be changed.",
)
_TOO_MANY_TAGS: Final = Text(
    f"El campo '{{field}}' admite como máximo {MAX_TAGS} elementos.",
    f"The field '{{field}}' takes at most {MAX_TAGS} items.",
)
_NO_COMPANY: Final = Text(
    "El campo '{field}' no es el de una empresa distinta del propio contacto.",
    "The field '{field}' is not that of a company other than the contact itself.",
)
