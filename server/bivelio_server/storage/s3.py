"""Storage in a bucket of anything that speaks S3.

The key is the name of the object. A file that is known whole is put at once; one that comes piece by piece is uploaded
in parts, and there is no object before they are put together: an upload that fails is given up, with its parts.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from bivelio_server.kit.storage import Content, FileMissing, ListedFile, StorageFailed, StorageKey, StoredFile
from bivelio_server.settings import Settings

_PIECE_BYTES: Final = 1 << 18
_PART_BYTES: Final = 16 << 20
_PARTS_AT_ONCE: Final = 2
#: As many as one request may remove.
_REMOVED_AT_ONCE: Final = 1000
#: A server that is away is no reason to hold up who waits for it: the work is tried again as a whole.
_RETRIES: Final = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
#: A row waits for the file that it is to refer to, and no transaction may wait for longer than a minute.
_PUT_SECONDS: Final = 50
_FAILURES: Final = (BaseError, OSError)


class S3Storage:
    """In the bucket that the settings name; it is there already.

    What a killed process leaves are parts without an object, which nothing here can list: a rule of the bucket removes
    them.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.s3_bucket is not None
        self._store = S3Store(settings.s3_bucket, **_configuration(settings))

    async def put(self, key: StorageKey, content: Content) -> StoredFile:
        if isinstance(content, bytes):
            digest = await asyncio.to_thread(hashlib.sha256, content)
            await self._put(key, content, use_multipart=False)
            return StoredFile(key, len(content), digest.hexdigest())
        hashed = _Hashed(content)
        await self._put(key, hashed, use_multipart=True)
        return StoredFile(key, hashed.bytes, hashed.sha256)

    async def get(self, key: StorageKey) -> bytes:
        try:
            found = await obstore.get_async(self._store, StorageKey(key))
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            raise FileMissing(key) from None
        except _FAILURES as error:
            raise _failed(key, error) from error

    async def open(self, key: StorageKey, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        try:
            found = await obstore.get_async(self._store, StorageKey(key), options=_range(start, end))
            async for piece in found.stream(min_chunk_size=_PIECE_BYTES):
                content = memoryview(piece)
                for place in range(0, len(content), _PIECE_BYTES):
                    yield bytes(content[place : place + _PIECE_BYTES])
        except FileNotFoundError:
            raise FileMissing(key) from None
        except _FAILURES as error:
            raise _failed(key, error) from error

    async def delete(self, keys: Iterable[StorageKey]) -> None:
        names = [StorageKey(key) for key in keys]
        for first in range(0, len(names), _REMOVED_AT_ONCE):
            try:
                await obstore.delete_async(self._store, names[first : first + _REMOVED_AT_ONCE])
            except FileNotFoundError:
                continue
            except _FAILURES as error:
                raise _failed(names[first], error) from error

    async def delete_prefix(self, prefix: str) -> int:
        found = [file.key async for file in self.walk(prefix)]
        await self.delete(found)
        return len(found)

    async def walk(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        folder = prefix.rpartition("/")[0]
        if folder and any(segment in ("", ".", "..") for segment in folder.split("/")):
            return
        try:
            async for batch in obstore.list(self._store, folder or None):
                for found in batch:
                    # Whatever else lies in the bucket is not ours.
                    with suppress(ValueError):
                        key = StorageKey(found["path"])
                        if key.startswith(prefix):
                            yield ListedFile(key, found["size"], found["last_modified"])
        except _FAILURES as error:
            raise _failed(prefix, error) from error

    async def _put(self, key: StorageKey, content: Any, *, use_multipart: bool) -> None:
        try:
            async with asyncio.timeout(_PUT_SECONDS):
                await obstore.put_async(
                    self._store, StorageKey(key), content, use_multipart=use_multipart, chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )  # fmt: skip
        except _FAILURES as error:
            raise _failed(key, error) from error


class _Hashed:
    """Content on its way, and its hash."""

    def __init__(self, content: AsyncIterable[bytes]) -> None:
        self.bytes = 0
        self._content = content
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._content:
            self._digest.update(piece)
            self.bytes += len(piece)
            yield piece


def _configuration(settings: Settings) -> dict[str, Any]:
    given = {
        "endpoint": settings.s3_endpoint,
        "access_key_id": settings.s3_access_key_id,
        "secret_access_key": settings.s3_secret_access_key and settings.s3_secret_access_key.get_secret_value(),
    }
    return {
        **{name: value for name, value in given.items() if value is not None},
        "region": settings.s3_region,
        "virtual_hosted_style_request": False,
        "client_options": {
            "allow_http": (settings.s3_endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=5),
            "timeout": timedelta(minutes=5),
        },
        "retry_config": _RETRIES,
    }


def _range(start: int, end: int | None) -> Any:
    if end is not None:
        return {"range": (start, end)}
    return {"range": {"offset": start}} if start else None


def _failed(what: str, error: BaseException) -> StorageFailed:
    """The first line: the others repeat the request, with its headers."""
    return StorageFailed(f"{what}: {str(error).partition(chr(10))[0]}")
