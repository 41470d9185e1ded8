"""Erasing a person from the JSON files that rows refer to: a file is never changed, so another takes its place."""

from collections.abc import Mapping
from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.storage import FileMissing, StorageKey, StoredFile, fetch

_AT_ONCE: Final = 100
#: After so many bytes the next batch goes on.
_BATCH_BYTES: Final = 8 * 1024 * 1024
_AFTER: Final = "select file from stored_files_after(%(after)s, %(limit)s) as file"
#: Nothing when all that mentions the person is an id, which stays.
_BLANKED: Final = """
    select b.value::text from (select cast(%(value)s as jsonb)) as v (value)
     cross join lateral (select blanked(v.value, cast(%(person)s as jsonb), 'neutral', %(word)s)) as b (value)
     where b.value <> v.value
"""
_REPLACE: Final = "select replace_stored_file(%(job_id)s, %(key)s, cast(%(file)s as jsonb))"


async def blank_files_about(
    context: Context, job_id: str, person: Mapping[str, Any], word: str, after: str
) -> tuple[str | None, int]:
    """Put `word` for the person in the next files after that key: where it got to (None at the end), how many files.

    `person` is as the erasing functions of the database know it: `id`, `known`, `terms`, in lower case.
    """
    mentioned = [*person["known"], person["id"].lower()]
    found = await context.session.run(_AFTER, {"after": after, "limit": _AT_ONCE})
    last, read, changed = None, 0, 0
    for (reference,) in found:
        file = StoredFile.from_json(reference)
        last, read = file.key, read + file.bytes
        if await _blank(context, job_id, file, mentioned, {"person": _as_json(person), "word": word}):
            changed += 1
        if read > _BATCH_BYTES:
            break
    return last, changed


async def _blank(context: Context, job_id: str, file: StoredFile, mentioned: list[str], whom: dict[str, str]) -> bool:
    storage = context.services.storage
    try:
        content = await fetch(storage, file)
    except FileMissing:
        return False
    text = content.decode()
    if not any(each in text.lower() for each in mentioned):
        return False
    rows = await context.session.run(_BLANKED, {"value": text, **whom})
    if not rows:
        return False
    folder = file.key.rpartition("/")[0]
    blanked = await storage.put(StorageKey(f"{folder}/{new_id('file')}"), rows[0].value.encode())
    values = {"job_id": job_id, "key": str(file.key), "file": _as_json(blanked.as_json())}
    await context.session.run(_REPLACE, values)
    return True


def _as_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value).decode()
