"""Inputs and outputs that are too big for rows: they are JSON files in storage, to which the rows refer."""

from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from bivelio_server.kit import json
from bivelio_server.kit.context import Context, Services
from bivelio_server.kit.ids import new_id
from bivelio_server.kit.models import Output
from bivelio_server.kit.storage import FileMissing, StorageKey, StoredFile, fetch

#: The most that one output, or input, may take; as JSON.
MAX_BYTES: Final = 5 * 1024 * 1024
#: The most that a reply with all of a run holds of stored values.
SHOWN_BYTES: Final = MAX_BYTES
COLUMNS: Final = ("output", "input")

ViewT = TypeVar("ViewT", bound=Output)


async def keep(services: Services, org_id: UUID, environment: str, content: bytes, now: datetime) -> StoredFile:
    """Store a value of a run, before the commit of the row that refers to it. Raises StorageFailed."""
    key = StorageKey.of(org_id, environment, "runs", f"{now:%Y%m%d}", new_id("file"))
    return await services.storage.put(key, content)


async def read(services: Services, reference: dict[str, Any]) -> Any:
    """The value behind what a row refers to. Raises FileMissing, StorageFailed."""
    return json.loads_trusted(await fetch(services.storage, StoredFile.from_json(reference)))


async def whole(services: Services, row: Any, column: str = "output") -> Any:
    """The value of that column of a run's or a step's row, wherever it is. Raises FileMissing, StorageFailed."""
    reference = getattr(row, f"{column}_ref")
    return getattr(row, column) if reference is None else await read(services, reference)


async def columns(context: Context, value: Any, column: str) -> dict[str, Any]:
    """What a new row has in that column, as JSON, and in the one beside it for a file."""
    encoded = json.dumps(value)
    if len(encoded) <= context.services.settings.inline_bytes:
        return {column: encoded.decode(), f"{column}_ref": None}
    caller = context.caller
    file = await keep(context.services, caller.org_id, caller.environment.value, encoded, context.now)
    return {column: None, f"{column}_ref": json.dumps(file.as_json()).decode()}


class Shown:
    """Puts stored values into the views of one reply, as many as there is room for."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._room = SHOWN_BYTES

    async def complete(self, view: ViewT, row: Any) -> ViewT:
        """With the values of the row that are in storage. What does not fit, or is lost, stays marked as truncated."""
        update: dict[str, Any] = {}
        for column in COLUMNS:
            reference = getattr(row, f"{column}_ref")
            if reference is not None and reference["bytes"] <= self._room:
                try:
                    update[column] = await read(self._services, reference)
                except FileMissing:
                    continue
                update[f"{column}_truncated"] = False
                self._room -= reference["bytes"]
        return view.model_copy(update=update) if update else view
