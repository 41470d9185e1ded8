"""The jobs behind `contacts.bulk_tag` and `contacts.bulk_delete`: five hundred contacts a batch."""

from typing import Any, Final

from bivelio_server.contacts import sets
from bivelio_server.contacts.events import UPDATED
from bivelio_server.contacts.importing import MAX_TAGS, remember
from bivelio_server.contacts.schemas import Contact
from bivelio_server.events.recording import record
from bivelio_server.jobs.kinds import Batch, JobKind, RowProblem
from bivelio_server.kit.text import Text

BATCH: Final = 500


async def tag_batch(batch: Batch) -> None:
    rows = await sets.by_id_locked(batch.context, await _next_ids(batch))
    changed = []
    for row in rows:
        tags = _retagged(row["tags"], batch.params["add"], batch.params["remove"])
        if len(tags) > MAX_TAGS:
            batch.refuse(RowProblem(None, row["id"], "max_items", _TOO_MANY))
            batch.count("failed")
        elif tags == row["tags"]:
            batch.count("unchanged")
        else:
            changed.append((row, {**row, "tags": tags, "version": row["version"] + 1, "updated_at": batch.context.now}))
    await sets.update(batch.context, [now for _, now in changed])
    await _tell(batch, changed)
    batch.count("updated", len(changed))
    _finish_if_done(batch)


async def delete_batch(batch: Batch) -> None:
    deleted = await sets.delete(batch.context, await _next_ids(batch))
    for contact_id in deleted:
        batch.context.changed("contacts", contact_id, {"deleted_at": None}, {"deleted_at": batch.context.now})
    batch.count("deleted", len(deleted))
    _finish_if_done(batch)


TAG: Final = JobKind("contacts.bulk_tag", tag_batch)
DELETE: Final = JobKind("contacts.bulk_delete", delete_batch)


async def _next_ids(batch: Batch) -> list[str]:
    """Of the given ids, or of what the filter finds now after the last one that was done."""
    cursor, ids = batch.cursor, batch.params["ids"]
    if ids is not None:
        at = cursor.get("at", 0)
        found: list[str] = ids[at : at + BATCH]
        cursor["at"] = at + BATCH
        cursor["done"] = cursor["at"] >= len(ids)
    else:
        found = await sets.matching(
            batch.context, batch.params["filter"], deleted_after=None, after=cursor.get("after", ""), limit=BATCH
        )
        cursor["after"] = found[-1] if found else ""
        cursor["done"] = len(found) < BATCH
    batch.count("contacts", len(found))
    return found


def _finish_if_done(batch: Batch) -> None:
    batch.progress = min(1.0, batch.counts["contacts"] / max(1, batch.params["expected"]))
    if batch.cursor["done"]:
        batch.finish()


def _retagged(tags: list[str], add: list[str], remove: list[str]) -> list[str]:
    kept = [tag for tag in tags if tag not in remove]
    return list(dict.fromkeys([*kept, *add]))


async def _tell(batch: Batch, changed: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    for before, now in changed:
        remember(batch, before, now)
        if batch.params["events"]:
            await record(batch.context, UPDATED, Contact.model_validate(now))


_TOO_MANY: Final = Text(
    f"El contacto tendría más de {MAX_TAGS} etiquetas.", f"The contact would have more than {MAX_TAGS} tags."
)
