"""The job behind `contacts.erase`: a person disappears, for good, from everything that is kept of them.

The contact goes last, so that an erasure that broke off can be started again. What the walk touches is not listed here:
every column whose migration marked it as personal is walked, those of features to come too.
"""

from typing import Any, Final

from bivelio_server.contacts import sets
from bivelio_server.jobs.forgetting import forget_files_about
from bivelio_server.jobs.kinds import Batch, JobKind
from bivelio_server.storage.forgetting import blank_files_about

#: How many rows of a table are looked at in one batch.
BATCH: Final = 2000
#: A shorter text says too little to be looked for.
_LEAST_KNOWN: Final = 6
_LEAST_NAME: Final = 3
_WORDS: Final = {"es": "[borrado]", "en": "[erased]"}


async def run_batch(batch: Batch) -> None:
    match batch.cursor.get("phase"):
        case None:
            await _begin(batch)
        case "files":
            await _forget_files(batch)
        case "stored":
            await _blank_stored(batch)
        case "tables":
            await _walk(batch)
        case _:
            await _remove(batch)


KIND: Final = JobKind("contacts.erase", run_batch)


async def _begin(batch: Batch) -> None:
    """From here on nobody can change the contact; by what it is known is remembered until the job ends."""
    context, contact_id = batch.context, batch.params["id"]
    found = await sets.by_id(context, [contact_id])
    if not found:
        batch.finish({"contact_id": contact_id, "rows": 0})
        return
    for deleted in await sets.delete(context, [contact_id]):
        context.changed("contacts", deleted, {"deleted_at": None}, {"deleted_at": context.now})
    values = [found[0], *await sets.former_values(context, contact_id)]
    batch.params["person"] = _person(contact_id, values)
    batch.params["word"] = _WORDS.get(await sets.locale(context), _WORDS["en"])
    batch.cursor.update(phase="files", tables=await sets.personal_tables(context), at=0, after=None)


async def _forget_files(batch: Batch) -> None:
    person = batch.params["person"]
    mentioned = [*person["known"], person["id"].lower()]
    last, forgotten = await forget_files_about(batch.context, mentioned, batch.cursor.get("file", ""))
    batch.count("files", forgotten)
    batch.cursor.update({"file": last} if last is not None else {"phase": "stored"})


async def _blank_stored(batch: Batch) -> None:
    params, after = batch.params, batch.cursor.get("stored", "")
    last, blanked = await blank_files_about(batch.context, batch.job_id, params["person"], params["word"], after)
    batch.count("files", blanked)
    batch.cursor.update({"stored": last} if last is not None else {"phase": "tables"})


async def _walk(batch: Batch) -> None:
    cursor = batch.cursor
    tables = cursor["tables"]
    last, erased = await sets.erase_person(
        batch.context, batch.job_id, tables[cursor["at"]], after=cursor["after"], limit=BATCH
    )
    batch.count("rows", erased)
    cursor["after"] = last
    if last is None:
        cursor["at"] += 1
    batch.progress = cursor["at"] / (len(tables) + 1)
    if cursor["at"] >= len(tables):
        cursor["phase"] = "contact"


async def _remove(batch: Batch) -> None:
    """The people of a company live on without it."""
    context, contact_id = batch.context, batch.params["id"]
    for person in await sets.leave_company(context, contact_id):
        context.changed(
            "contacts",
            person["id"],
            {"company_id": contact_id, "version": person["version"] - 1},
            {"company_id": None, "version": person["version"]},
        )
    await sets.remove(context, contact_id)
    context.changed("contacts", contact_id, {"erased": False}, {"erased": True})
    batch.count("rows")
    batch.finish({"contact_id": contact_id, "rows": batch.counts["rows"]})


def _person(contact_id: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    """In lower case: what stands for the person alone (`known`), and with it the names that others may share."""
    known: set[str] = set()
    names: set[str] = set()
    for value in values:
        number = value.get("phone_e164") or ""
        known |= {(value.get("email") or "").lower(), (value.get("phone") or "").lower(), number, number.lstrip("+")}
        names.add((value.get("name") or "").strip().lower())
    known = {text for text in known if len(text) >= _LEAST_KNOWN}
    names = {text for text in names if len(text) >= _LEAST_NAME}
    return {"id": contact_id, "known": sorted(known), "terms": sorted(known | names)}
