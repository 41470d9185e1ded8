"""The large values of a run: in memory while there is room and need, otherwise in storage.

A step's output above the limit of a row is a `Large` wherever the run passes it on. Only what an expression refers to
is loaded. The outputs of a loop or of branches hold the `Large`s of their steps, and are put together when they are
stored or looked at.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import orjson

from bivelio_server.kit import json
from bivelio_server.kit.context import Services
from bivelio_server.kit.errors import APIError, Impossible, Problem
from bivelio_server.kit.storage import FileMissing, StoredFile, fetch
from bivelio_server.kit.text import Text
from bivelio_server.workflows.expressions import references_of
from bivelio_server.workflows.outputs import MAX_BYTES, keep

#: What one run may have in storage, and in its rows before smaller values go to storage, too.
MAX_STORED_BYTES: Final = 64 * 1024 * 1024
MAX_INLINE_BYTES: Final = 4 * 1024 * 1024
#: From then on.
_SMALL_BYTES: Final = 1024
#: What one run keeps in memory of what it has in storage, and what one expression may refer to of it.
MAX_HELD_BYTES: Final = 8 * 1024 * 1024


class OutputLost(APIError):
    """Kept in runs only."""

    text = Text(
        "Un resultado guardado de esta ejecución ya no está en el almacenamiento.",
        "A stored output of this run is no longer in storage.",
    )


@dataclass(eq=False, slots=True)
class Large:
    """A value of so many bytes as JSON: its text or, of one made of others, what holds these; or a file."""

    size: int
    content: bytes | None = None
    parts: Any = None
    file: StoredFile | None = None
    decoded: Any = None


class LargeValues:
    """Of one run."""

    def __init__(self, services: Services, org_id: UUID, environment: str) -> None:
        self._services = services
        self._org_id = org_id
        self._environment = environment
        self._inline_bytes = self._stored_bytes = 0
        self._held: OrderedDict[Large, None] = OrderedDict()
        self._held_bytes = 0
        self._prepared: dict[str, tuple[Any, StoredFile]] = {}
        self._room_taken: dict[str, int] = {}
        self.any = False

    def known(self, reference: dict[str, Any]) -> Large:
        """What a row refers to."""
        file = StoredFile.from_json(reference)
        return self._stored(Large(file.bytes, file=file))

    def count_inline(self, value: Any) -> None:
        """What a row holds."""
        self._inline_bytes += len(json.dumps(value))

    def taken(self, value: Any, *, counts: bool = True) -> tuple[Any, int]:
        """The value as plain JSON, or as Large, and its size; `counts` for what the run may have in all.

        Raises Impossible.
        """
        if isinstance(value, Large):
            return value, 0
        if self.any and (parts := list(_larges_in(value))):
            large = self._made_of(value, parts)
        else:
            content = json.dumps(value)
            if len(content) <= self._limit:
                self._inline_bytes += len(content) if counts else 0
                return json.loads_trusted(content), len(content)
            large = Large(len(content), content)
        if large.size > MAX_BYTES:
            raise Impossible(Problem("output", "max_length", _TOO_LARGE))
        if counts and self._stored_bytes + large.size > MAX_STORED_BYTES:
            raise Impossible(Problem("output", "max_length", _TOO_MUCH))
        return self._stored(large), large.size

    def shown(self, value: Any) -> Any:
        """An input, which is there to be looked at: None when it is more than the run may have."""
        if value is None or isinstance(value, Large):
            return value
        content = json.dumps(value)
        if len(content) <= self._limit:
            self._inline_bytes += len(content)
            return value
        fits = len(content) <= MAX_BYTES and self._stored_bytes + len(content) <= MAX_STORED_BYTES
        return self._stored(Large(len(content), content)) if fits else None

    async def columns(self, value: Any) -> tuple[Any, dict[str, Any] | None]:
        """What a row holds of it, and the file that it refers to, stored by now. Raises StorageFailed."""
        if not isinstance(value, Large):
            return value, None
        if value.file is None:
            value.file = await self._keep(await self._content(value))
            value.size, value.parts = value.file.bytes, None
            self._hold(value)
        return None, value.file.as_json()

    def take_room(self, path: str, value: Any, field: str) -> None:
        """For what the step at that path is about to keep in order to go on. Raises Impossible."""
        size = len(json.dumps(value))
        if size <= self._services.settings.inline_bytes:
            return
        if size > MAX_BYTES:
            raise Impossible(Problem(field, "max_length", _TOO_LONG))
        if self._stored_bytes + size > MAX_STORED_BYTES:
            raise Impossible(Problem(field, "max_length", _TOO_MUCH))
        self._stored_bytes += size
        self._room_taken[path] = size

    async def prepared(self, path: str, value: Any) -> tuple[Any, dict[str, Any] | None]:
        """As `columns`, for what the step at that path needs to go on, which is in memory while the run is."""
        content = b"" if value is None else json.dumps(value)
        if len(content) <= self._services.settings.inline_bytes:
            return value, None
        known = self._prepared.get(path)
        if known is None or known[0] is not value:
            file = await self._keep(content)
            self._stored_bytes += file.bytes - self._room_taken.pop(path, 0)
            self._prepared[path] = known = (value, file)
        return None, known[1].as_json()

    def forget_prepared(self, path: str) -> None:
        """The step at that path is over, and written: it needs it no more in memory."""
        self._prepared.pop(path, None)

    async def prepared_before(self, path: str, reference: dict[str, Any]) -> Any:
        """What was prepared; None when it is lost, so that it is prepared anew. Raises StorageFailed."""
        file = StoredFile.from_json(reference)
        self._stored_bytes += file.bytes
        try:
            value = json.loads_trusted(await fetch(self._services.storage, file))
        except FileMissing:
            return None
        self._prepared[path] = (value, file)
        return value

    async def whole(self, value: Any) -> Any:
        """The value itself. Raises OutputLost, StorageFailed."""
        if not isinstance(value, Large):
            return value
        if value.decoded is None:
            content = await self._content(value)
            value.decoded = json.loads_trusted(content)
            value.content = content if value.file is None else None
        if value.file is not None:
            self._hold(value)
        return value.decoded

    async def loaded(self, template: Any, variables: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The variables, whole where the template refers to them. Raises ExpressionError, Impossible, OutputLost."""
        steps = variables["steps"]
        references = references_of(template, path)
        names = {reference[1] for reference in references if reference[0] == "steps" and _reads_output(reference)}
        wanted = set(steps) if ("steps",) in references else names & set(steps)
        large = {name: found for name in wanted if isinstance(found := steps[name]["output"], Large)}
        input_ = variables["input"]
        reads_input = isinstance(input_, Large) and any(reference[0] == "input" for reference in references)
        if sum(value.size for value in large.values()) + (input_.size if reads_input else 0) > MAX_HELD_BYTES:
            raise Impossible(Problem(path, "max_length", _TOO_MUCH_AT_ONCE))
        found = {name: {**steps[name], "output": await self.whole(value)} for name, value in large.items()}
        if reads_input:
            variables = {**variables, "input": await self.whole(input_)}
        return {**variables, "steps": {**steps, **found}}

    @property
    def _limit(self) -> int:
        limit = self._services.settings.inline_bytes
        return limit if self._inline_bytes <= MAX_INLINE_BYTES else min(limit, _SMALL_BYTES)

    def _stored(self, value: Large) -> Large:
        self._stored_bytes += value.size
        self.any = True
        return value

    async def _keep(self, content: bytes) -> StoredFile:
        now = self._services.clock.now()
        return await keep(self._services, self._org_id, self._environment, content, now)

    def _made_of(self, value: Any, parts: list[Large]) -> Large:
        """No part is loaded yet, so the whole is measured first."""
        frame = len(json.dumps(_replaced(value, dict.fromkeys(parts))))
        return Large(frame + sum(part.size for part in parts), parts=value)

    async def _content(self, value: Large) -> bytes:
        if value.content is not None:
            return value.content
        if value.parts is not None:
            contents = {part: orjson.Fragment(await self._content(part)) for part in _larges_in(value.parts)}
            return json.dumps(_replaced(value.parts, contents))
        assert value.file is not None, "a large value is somewhere"
        try:
            return await fetch(self._services.storage, value.file)
        except FileMissing:
            raise OutputLost from None

    def _hold(self, value: Large) -> None:
        """Keep it in memory, as the one used last; the others as far as there is room."""
        if value in self._held:
            self._held.move_to_end(value)
        else:
            self._held[value] = None
            self._held_bytes += value.size
        while self._held_bytes > MAX_HELD_BYTES and len(self._held) > 1:
            oldest, _ = self._held.popitem(last=False)
            self._held_bytes -= oldest.size
            oldest.content = oldest.decoded = None


def _reads_output(reference: tuple[str, ...]) -> bool:
    """Of a path below `steps`."""
    return len(reference) == 2 or reference[2:3] == ("output",)


def _larges_in(value: Any) -> Iterator[Large]:
    if isinstance(value, Large):
        yield value
    elif isinstance(value, dict):
        for member in value.values():
            yield from _larges_in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _larges_in(member)


def _replaced(value: Any, by: Mapping[Large, Any]) -> Any:
    if isinstance(value, Large):
        return by[value]
    if isinstance(value, dict):
        return {name: _replaced(member, by) for name, member in value.items()}
    if isinstance(value, list):
        return [_replaced(member, by) for member in value]
    return value


_TOO_LARGE: Final = Text(
    f"El resultado ocupa más de {MAX_BYTES} bytes.", f"The output takes more than {MAX_BYTES} bytes."
)
_TOO_LONG: Final = Text(f"La lista ocupa más de {MAX_BYTES} bytes.", f"The list takes more than {MAX_BYTES} bytes.")
_TOO_MUCH: Final = Text(
    f"Los resultados de la ejecución ocupan más de {MAX_STORED_BYTES} bytes.",
    f"The outputs of the run take more than {MAX_STORED_BYTES} bytes.",
)
_TOO_MUCH_AT_ONCE: Final = Text(
    f"Las expresiones se refieren a resultados que ocupan más de {MAX_HELD_BYTES} bytes.",
    f"The expressions refer to outputs that take more than {MAX_HELD_BYTES} bytes.",
)
