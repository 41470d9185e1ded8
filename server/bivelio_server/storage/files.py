"""Storage in a folder of this machine, or of one that all machines share.

A file is made as a draft beside the others and renamed when it is whole. Whatever touches the disk does so in a thread.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import IO, Final, ParamSpec, TypeVar
from uuid import uuid4

from bivelio_server.kit.storage import Content, FileMissing, ListedFile, StorageFailed, StorageKey, StoredFile

#: No key begins like this.
_DRAFTS: Final = ".drafts"
_PIECE_BYTES: Final = 1 << 18
_LISTED_AT_ONCE: Final = 500
#: A folder may be removed, being empty, just when a file is to be put into it.
_TRIES: Final = 20

P = ParamSpec("P")
T = TypeVar("T")


class FilesOnDisk:
    """Below `root`, which is made when the first file is written; the key is the path."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    async def put(self, key: StorageKey, content: Content) -> StoredFile:
        if isinstance(content, bytes):
            return await _in_thread(self._put, key, content)
        draft = _Draft(await _in_thread(self._new_draft))
        try:
            async for piece in content:
                await _in_thread(draft.write, piece)
            return await _in_thread(self._finish, key, draft)
        except BaseException:
            draft.discard()
            raise

    async def get(self, key: StorageKey) -> bytes:
        try:
            return await _in_thread(self._path(key).read_bytes)
        except FileNotFoundError:
            raise FileMissing(key) from None

    async def open(self, key: StorageKey, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        try:
            file: IO[bytes] = await _in_thread(self._path(key).open, "rb")
        except FileNotFoundError:
            raise FileMissing(key) from None
        with file:
            at = file.seek(start)
            while piece := await _in_thread(file.read, _PIECE_BYTES if end is None else min(_PIECE_BYTES, end - at)):
                yield piece
                at += len(piece)

    async def delete(self, keys: Iterable[StorageKey]) -> None:
        await _in_thread(self._delete, [*keys])

    async def delete_prefix(self, prefix: str) -> int:
        removed = 0
        async for batch in self._batches(prefix):
            await self.delete([file.key for file in batch])
            removed += len(batch)
        return removed

    async def walk(self, prefix: str = "") -> AsyncIterator[ListedFile]:
        async for batch in self._batches(prefix):
            for file in batch:
                yield file

    async def forget_drafts(self, before: datetime) -> int:
        """Remove what writes have left that were broken off before then; how many."""
        return await _in_thread(self._forget_drafts, before.timestamp())

    def _put(self, key: StorageKey, content: bytes) -> StoredFile:
        draft = _Draft(self._new_draft())
        try:
            draft.write(content)
            return self._finish(key, draft)
        except BaseException:
            draft.discard()
            raise

    def _finish(self, key: StorageKey, draft: "_Draft") -> StoredFile:
        draft.close()
        path = self._path(key)
        for _ in range(_TRIES):
            _make_folder(path.parent)
            with suppress(FileNotFoundError):
                draft.path.replace(path)
                _settle(path.parent)
                return StoredFile(key, draft.bytes, draft.sha256)
        raise StorageFailed(f"the folder of {key} is removed over and over")

    def _new_draft(self) -> Path:
        folder = self._root / _DRAFTS
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / uuid4().hex

    def _path(self, key: StorageKey) -> Path:
        return self._root / StorageKey(key)

    def _delete(self, keys: list[StorageKey]) -> None:
        for key in keys:
            path = self._path(key)
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[: key.count("/")]:
                try:
                    folder.rmdir()
                except OSError:
                    break

    async def _batches(self, prefix: str) -> AsyncIterator[list[ListedFile]]:
        found = self._listed(prefix)
        while batch := await _in_thread(lambda: list(islice(found, _LISTED_AT_ONCE))):
            yield batch

    def _listed(self, prefix: str) -> Iterator[ListedFile]:
        start = self._root
        for segment in prefix.split("/")[:-1]:
            if segment in ("", ".", "..", _DRAFTS):
                return
            start /= segment
        for folder, _, names in os.walk(start):
            for name in names:
                path = Path(folder) / name
                text = path.relative_to(self._root).as_posix()
                # Whatever else lies in the folder is not ours.
                with suppress(ValueError, FileNotFoundError):
                    if text.startswith(prefix):
                        yield _listed(StorageKey(text), path.stat())

    def _forget_drafts(self, before: float) -> int:
        folder, removed = self._root / _DRAFTS, 0
        for draft in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if draft.stat().st_mtime < before:
                    draft.unlink()
                    removed += 1
        return removed


class _Draft:
    """A file on its way, and its hash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.bytes = 0
        self._digest = hashlib.sha256()
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            view = view[self._file.write(view) or 0 :]
        self._digest.update(piece)
        self.bytes += len(piece)

    def close(self) -> None:
        os.fsync(self._file.fileno())
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def _listed(key: StorageKey, state: os.stat_result) -> ListedFile:
    return ListedFile(key, state.st_size, datetime.fromtimestamp(state.st_mtime, UTC))


def _make_folder(folder: Path) -> None:
    """With those above it that are not there yet, each so that a power cut leaves it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError, FileNotFoundError):
        folder.mkdir(mode=0o700)
        _settle(folder.parent)


def _settle(folder: Path) -> None:
    """Have the names in a folder written to the disk, where the system can do so."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Raises FileNotFoundError, StorageFailed."""
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except (FileNotFoundError, StorageFailed):
        raise
    except OSError as error:
        raise StorageFailed(f"{error.filename}: {error.strerror}") from error
