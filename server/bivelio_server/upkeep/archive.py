"""The file of a backup: a tar with the secret keys, the database in pieces, the stored files and, last, a manifest that
vouches for all of them.

Everything is written as it comes, so a backup takes no room beside itself, and a file without its manifest is one that
was cut off. `cat database/*` is an archive of `pg_dump` in custom format; the stored files lie under `files/`.
"""

import hashlib
import io
import os
import secrets
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from pydantic import BaseModel, ValidationError

from bivelio_server.upkeep.sealing import MAGIC, SealedReader, SealedWriter, WrongPassphrase

FORMAT: Final = 2
_KEYS: Final = "secret.key"
_MANIFEST: Final = "manifest.json"
_DATABASE: Final = "database"
_FILES: Final = "files"
_PIECE_BYTES: Final = 8 << 20
_READ_BYTES: Final = 1 << 20


class BackupError(Exception):
    """The backup cannot be made or used; the message says why."""


class Manifest(BaseModel):
    """What the backup is, and what must be found in it. `rows` counts the rows of each table in the same snapshot.

    `missing` are the stored files that were lost before: rows refer to them, but they could not be copied.
    """

    format: int
    created_at: str
    app_version: str
    schema_version: str
    postgres_version: str
    keys: list[str]
    sha256: dict[str, str]
    database_bytes: int
    rows: dict[str, int]
    files: int = 0
    missing: list[str] = []


class ArchiveWriter:
    """Writes the members in their order: keys, database, files, manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sha256: dict[str, str] = {}
        self.database_bytes = 0
        self.files = 0
        self._files_digest = hashlib.sha256()

    def add_keys(self, keys: list[str]) -> None:
        content = "".join(f"{key}\n" for key in keys).encode()
        self.sha256[_KEYS] = hashlib.sha256(content).hexdigest()
        self._add(_KEYS, content)

    def add_database(self, dump: IO[bytes]) -> None:
        digest = hashlib.sha256()
        number = 0
        while piece := dump.read(_PIECE_BYTES):
            digest.update(piece)
            self._add(f"{_DATABASE}/{number:06}", piece)
            self.database_bytes += len(piece)
            number += 1
        self.sha256[_DATABASE] = digest.hexdigest()

    def add_file(self, key: str, size: int, content: IO[bytes]) -> None:
        """A stored file of so many bytes."""
        name = f"{_FILES}/{key}"
        self._files_digest.update(name.encode())
        self._tar.addfile(_member(name, size), cast("IO[bytes]", _Hashing(content, self._files_digest)))
        self.files += 1

    def add_manifest(self, manifest: Manifest) -> None:
        manifest.sha256[_FILES] = self._files_digest.hexdigest()
        self._add(_MANIFEST, manifest.model_dump_json(indent=2).encode())

    def _add(self, name: str, content: bytes) -> None:
        self._tar.addfile(_member(name, len(content)), io.BytesIO(content))


@contextmanager
def new_archive(path: Path, passphrase: str | None) -> Iterator[ArchiveWriter]:
    """The file (mode 0600) is there when the block has ended well, and not before. Raises BackupError."""
    if path.exists():
        raise BackupError(f"{path} exists already")
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            target = file if passphrase is None else cast("IO[bytes]", SealedWriter(file, passphrase))
            with tarfile.open(fileobj=target, mode="w|") as tar:
                yield ArchiveWriter(tar)
            if target is not file:
                target.close()
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except OSError as error:
        raise BackupError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)


class Archive:
    """A backup whose every byte was found to be as its manifest says. Raises BackupError."""

    def __init__(self, path: Path, passphrase: str | None) -> None:
        self._path = path
        self._passphrase = passphrase
        self.keys: list[str] = []
        self.sha256_of_files: dict[str, str] = {}
        self.manifest = self._checked()

    def database(self) -> Iterator[bytes]:
        """The dump, piece by piece."""
        with self._readable():
            for name, content in self._members():
                if name.startswith(f"{_DATABASE}/"):
                    yield content.read()

    def files(self) -> Iterator[tuple[str, IO[bytes]]]:
        """Each stored file by its key, to be read before the next."""
        with self._readable():
            for name, content in self._members():
                if name.startswith(f"{_FILES}/"):
                    yield name.removeprefix(f"{_FILES}/"), content

    def _checked(self) -> Manifest:
        with self._readable():
            manifest, found = self._read()
        if manifest is None:
            raise BackupError(f"{self._path} is no backup, or was cut off: it has no manifest")
        if {_FILES: hashlib.sha256().hexdigest(), **manifest.sha256} != found:
            raise BackupError(f"{self._path} is damaged: its checksums are not those of its manifest")
        return manifest

    def _read(self) -> tuple[Manifest | None, dict[str, str]]:
        """The manifest, and the checksums of what there is."""
        database, files, found, manifest = hashlib.sha256(), hashlib.sha256(), dict[str, str](), None
        for name, content in self._members():
            if name == _KEYS:
                text = content.read()
                self.keys = text.decode().split()
                found[_KEYS] = hashlib.sha256(text).hexdigest()
            elif name == _MANIFEST:
                manifest = _manifest(content.read())
            elif name.startswith(f"{_FILES}/"):
                files.update(name.encode())
                self.sha256_of_files[name.removeprefix(f"{_FILES}/")] = _digest_of(content, files)
            else:
                database.update(content.read())
        return manifest, found | {_DATABASE: database.hexdigest(), _FILES: files.hexdigest()}

    def _members(self) -> Iterator[tuple[str, IO[bytes]]]:
        with self._path.open("rb") as file, tarfile.open(fileobj=self._plain(file), mode="r|") as tar:
            for member in tar:
                content = tar.extractfile(member)
                if content is not None:
                    yield member.name, content

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except WrongPassphrase as error:
            raise BackupError(str(error)) from error
        except tarfile.TarError as error:
            raise BackupError(f"{self._path} is no backup, or is damaged: {error}") from error
        except OSError as error:
            raise BackupError(f"cannot read {self._path}: {error.strerror or error}") from error

    def _plain(self, file: IO[bytes]) -> IO[bytes]:
        sealed = file.read(len(MAGIC)) == MAGIC
        file.seek(0)
        if not sealed:
            return file
        if self._passphrase is None:
            raise BackupError(f"{self._path} is sealed: give its passphrase with --passphrase-file")
        return cast("IO[bytes]", SealedReader(file, self._passphrase))


class _Hashing:
    """What is read of a file goes into a digest, too."""

    def __init__(self, file: IO[bytes], digest: "hashlib._Hash") -> None:
        self._file = file
        self._digest = digest

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._digest.update(piece)
        return piece


def _digest_of(content: IO[bytes], whole: "hashlib._Hash") -> str:
    """The hash of a file's content, which goes into that of all files, too."""
    own = hashlib.sha256()
    while piece := content.read(_READ_BYTES):
        own.update(piece)
        whole.update(piece)
    return own.hexdigest()


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o600, int(time.time())
    return member


def _manifest(content: bytes) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise BackupError(f"the manifest is damaged: {error.error_count()} fields") from error
    if manifest.format > FORMAT:
        raise BackupError(f"the backup has format {manifest.format}; this version reads {FORMAT}")
    return manifest
