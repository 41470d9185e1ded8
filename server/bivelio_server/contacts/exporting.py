"""The job behind `contacts.export`: a thousand contacts a batch, in the order of their ids."""

from datetime import UTC, datetime
from typing import Any, Final

from bivelio_server.contacts import sets
from bivelio_server.contacts.columns import CUSTOM
from bivelio_server.contacts.schemas import Contact
from bivelio_server.contacts.spreadsheets import write_rows
from bivelio_server.jobs.kinds import Batch, JobKind
from bivelio_server.kit import json
from bivelio_server.kit.rows import RESTORABLE

BATCH: Final = 1000
#: Custom fields beyond these share one column, as JSON.
MAX_CUSTOM_COLUMNS: Final = 200
_COLUMNS: Final = ("id", "type", "name", "email", "phone", "company_id", "company", "tags")
_TIMES: Final = ("created_at", "updated_at")
_MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json"}


async def run_batch(batch: Batch) -> None:
    cursor, params = batch.cursor, batch.params
    if not cursor:
        await _begin(batch)
    deleted_after = batch.context.now - RESTORABLE if params["deleted"] else None
    ids = await sets.matching(batch.context, params, deleted_after=deleted_after, after=cursor["after"], limit=BATCH)
    rows = await sets.by_id(batch.context, ids)
    is_last = len(ids) < BATCH
    content = await _content(batch, rows, is_last=is_last)
    await batch.write_output(cursor["piece"], content)
    cursor.update(after=ids[-1] if ids else "", piece=cursor["piece"] + 1, bytes=cursor["bytes"] + len(content))
    batch.count("rows", len(rows))
    batch.progress = batch.counts["rows"] / max(1, batch.counts["rows"], batch.counts["total"])
    if is_last:
        result = {"file_id": cursor["file_id"], "rows": batch.counts["rows"], "bytes": cursor["bytes"]}
        batch.finish(result)


KIND: Final = JobKind("contacts.export", run_batch)


async def _begin(batch: Batch) -> None:
    extension = batch.params["format"]
    name = f"contacts-{batch.context.now:%Y-%m-%d}.{extension}"
    file_id = await batch.make_output(name=name, media_type=_MEDIA_TYPES[extension])
    custom = await sets.custom_names(batch.context, MAX_CUSTOM_COLUMNS) if extension == "csv" else []
    batch.cursor.update(after="", piece=0, bytes=0, file_id=file_id, custom=custom)


async def _content(batch: Batch, rows: list[dict[str, Any]], *, is_last: bool) -> bytes:
    first = batch.cursor["piece"] == 0
    if batch.params["format"] == "json":
        return _json_piece(rows, first=first, is_last=is_last)
    custom = batch.cursor["custom"]
    company_ids = sorted({row["company_id"] for row in rows if row["company_id"]})
    companies = {row["id"]: row["name"] for row in await sets.by_id(batch.context, company_ids)}
    header = [[*_COLUMNS, *(f"{CUSTOM}{name}" for name in custom), "custom_fields", *_TIMES]] if first else []
    lines = [_cells(row, companies, custom) for row in rows]
    return write_rows([*header, *lines], batch.params["delimiter"], first=first)


def _json_piece(rows: list[dict[str, Any]], *, first: bool, is_last: bool) -> bytes:
    views = [json.dumps(Contact.model_validate(row).model_dump()) for row in rows]
    opening = b"[\n" if first else b",\n" if views else b""
    return opening + b",\n".join(views) + (b"\n]\n" if is_last else b"")


def _cells(row: dict[str, Any], companies: dict[str, str], custom: list[str]) -> list[str]:
    fields = row["custom_fields"]
    rest = {name: value for name, value in fields.items() if name not in custom}
    return [
        *(row[name] or "" for name in _COLUMNS[:6]),
        companies.get(row["company_id"] or "", ""),
        _tags(row["tags"]),
        *(_text(fields.get(name)) for name in custom),
        json.dumps(rest).decode() if rest else "",
        *(_moment(row[name]) for name in _TIMES),
    ]


def _tags(tags: list[str]) -> str:
    """So that an import of the file reads the same ones."""
    plain = "; ".join(tags)
    unclear = any(tag != tag.strip() or tag.startswith("[") or set(tag) & set(";,|") for tag in tags)
    return json.dumps(tags).decode() if unclear else plain


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).decode()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
