"""The port of storage: what is too big for a row is a file, and the row refers to it. Adapters are in `storage/`.

A file is written once and never changed: what changes is a new file. It is written before the commit of the row that
refers to it, and goes after the commit that removes the last such row.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

_SEGMENT: Final = "[a-z0-9][a-z0-9_-]{0,99}"
_KEY: Final = re.compile(f"[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}/(live|sandbox)(/{_SEGMENT}){{1,6}}")

Content: TypeAlias = bytes | AsyncIterable[bytes]


class StorageFailed(OSError):
    """Storage cannot be used for now: it is full, or away."""


class FileMissing(Exception):
    """What a row refers to is not there, or is not what was written."""


class StorageKey(str):
    """The name of a file, `<organisation>/<environment>/<area>/…`: nothing in it can lead elsewhere.

    Small letters only, so that it is one file wherever it lies. Raises ValueError for any other text.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> "StorageKey":
        if _KEY.fullmatch(text) is None:
            raise ValueError(f"{text!r} is no key of a stored file")
        return super().__new__(cls, text)

    @classmethod
    def of(cls, org_id: UUID, environment: str, *parts: str) -> "StorageKey":
        return cls("/".join((str(org_id), environment, *parts)))

    @property
    def org_id(self) -> str:
        """The organisation that it belongs to."""
        return self.partition("/")[0]


@dataclass(frozen=True, slots=True)
class StoredFile:
    """What a row keeps of a file, as JSON in a column of its own."""

    key: StorageKey
    bytes: int
    sha256: str

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "StoredFile":
        return cls(StorageKey(value["key"]), value["bytes"], value["sha256"])

    def as_json(self) -> dict[str, Any]:
        return {"key": str(self.key), "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class ListedFile:
    key: StorageKey
    bytes: int
    modified_at: datetime


class Storage(Protocol):
    """Files by key. Every method raises StorageFailed."""

    async def put(self, key: StorageKey, content: Content) -> StoredFile:
        """Write a file, whole or not at all; on return it survives a power cut."""

    async def get(self, key: StorageKey) -> bytes:
        """All of a file that is known to be small. Raises FileMissing."""

    def open(self, key: StorageKey, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """A file piece by piece, from byte `start` up to byte `end`, which is not in it; both within the file.

        Raises FileMissing, with the first piece.
        """

    async def delete(self, keys: Iterable[StorageKey]) -> None:
        """Remove files; one that is not there is fine."""

    async def delete_prefix(self, prefix: str) -> int:
        """Remove every file whose key begins with `prefix`; how many there were."""

    def walk(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        """Every file whose key begins with `prefix`, in no particular order."""


async def fetch(storage: Storage, stored: StoredFile) -> bytes:
    """The content that was written. Raises FileMissing, StorageFailed."""
    content = await storage.get(stored.key)
    if len(content) != stored.bytes or await asyncio.to_thread(sha256_of, content) != stored.sha256:
        raise FileMissing(stored.key)
    return content


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
