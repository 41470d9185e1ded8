"""The secret key of an installation and what is derived from it: signing, encryption, the serving role's password.

While a key is being replaced there are several: the first signs and seals, all of them verify and open.
"""

import base64
import os
import secrets
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_FINGERPRINT_BYTES: Final = 4
#: The first byte of what is sealed. The older form does not say which key sealed it.
_UNNAMED_KEY: Final = b"\x01"
_NAMED_KEY: Final = b"\x02"
#: How soon a running process follows a change of its key file.
FOLLOWS_WITHIN_SECONDS: Final = 1.0
_log = structlog.get_logger()


class DecryptionFailed(Exception):
    """The stored secret was written with another key, or for another row."""


class RootKey:
    """One root key; every purpose gets its own key from it, so that none reveals another."""

    def __init__(self, root: str) -> None:
        if len(root) < 32:
            raise ValueError("BIVELIO_SECRET_KEY must have at least 32 characters")
        if not root.isprintable():
            raise ValueError("BIVELIO_SECRET_KEY must be one line of printable characters")
        self.text = root
        self.fingerprint = self.derive("fingerprint")[:_FINGERPRINT_BYTES]

    @property
    def name(self) -> str:
        """Tells keys apart and reveals nothing of them."""
        return self.fingerprint.hex()

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return HKDF(SHA256(), length=32, salt=b"bivelio", info=purpose.encode()).derive(self.text.encode())

    def password(self, purpose: str) -> str:
        return base64.urlsafe_b64encode(self.derive(purpose)).decode().rstrip("=")


class SecretKey:
    """The present root key and those before it. Kept in a file, it follows what is written there."""

    def __init__(self, root: str, previous: Sequence[str] = (), *, file: Path | None = None) -> None:
        self._roots = _distinct([root, *previous])
        self._file = file
        self._seen = None if file is None else _state_of(file)
        self._look_at = 0.0

    @property
    def present(self) -> RootKey:
        self._follow()
        return self._roots[0]

    @property
    def all(self) -> tuple[RootKey, ...]:
        """The present one first."""
        self._follow()
        return self._roots

    def find(self, fingerprint: bytes) -> RootKey | None:
        """The key of that name. One that is not known may have been written to the file a moment ago."""
        found = self._find(fingerprint)
        if found is None:
            self._follow(at_once=True)
            found = self._find(fingerprint)
        return found

    def look_again(self) -> None:
        """Follow the file at once."""
        self._follow(at_once=True)

    def derive(self, purpose: str) -> bytes:
        return self.present.derive(purpose)

    def password(self, purpose: str) -> str:
        return self.present.password(purpose)

    def _find(self, fingerprint: bytes) -> RootKey | None:
        return next((root for root in self._roots if root.fingerprint == fingerprint), None)

    def _follow(self, *, at_once: bool = False) -> None:
        now = time.monotonic()
        if self._file is None or (now < self._look_at and not at_once):
            return
        self._look_at = now + FOLLOWS_WITHIN_SECONDS
        state = _state_of(self._file)
        if state is None or state == self._seen:
            return
        try:
            self._roots = _distinct(read_keys(self._file))
        except (OSError, ValueError) as error:
            _log.warning("secret_key_not_read", error=str(error))
        else:
            self._seen = state


class Cipher:
    """AES-256-GCM bound to the row that holds the secret: moved to another row it does not open."""

    def __init__(self, key: SecretKey) -> None:
        self._key = key

    def encrypt(self, plain: str, *, row: str) -> bytes:
        """`row` names the place: table, column, organisation, environment, id."""
        root, nonce = self._key.present, os.urandom(_NONCE_BYTES)
        return _NAMED_KEY + root.fingerprint + nonce + _aead(root).encrypt(nonce, plain.encode(), row.encode())

    def decrypt(self, stored: bytes, *, row: str) -> str:
        """Raises DecryptionFailed."""
        named = stored[:1] == _NAMED_KEY
        start = 1 + (_FINGERPRINT_BYTES if named else 0)
        nonce, sealed = stored[start : start + _NONCE_BYTES], stored[start + _NONCE_BYTES :]
        for root in self._candidates(stored[1:start]) if named else reversed(self._key.all):
            try:
                return _aead(root).decrypt(nonce, sealed, row.encode()).decode()
            except (InvalidTag, ValueError):
                continue
        raise DecryptionFailed(row) from None

    @property
    def mark(self) -> bytes:
        """How everything begins that the present key sealed."""
        return _NAMED_KEY + self._key.present.fingerprint

    def _candidates(self, fingerprint: bytes) -> tuple[RootKey, ...]:
        found = self._key.find(fingerprint)
        return () if found is None else (found,)


def load_or_create_secret_key(path: Path) -> SecretKey:
    """The key in `path` (mode 0600), made at the first start. Safe when several processes start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(generate_root())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    present, *previous = read_keys(path)
    return SecretKey(present, previous, file=path)


def generate_root() -> str:
    return secrets.token_urlsafe(48)


def read_keys(path: Path) -> list[str]:
    """One key a line, the present one first. Raises ValueError when there is none."""
    keys = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    if not keys:
        raise ValueError(f"{path} holds no key: restore it from a backup")
    return keys


def write_keys(path: Path, keys: Sequence[str]) -> None:
    """Replace the file's keys, all at once (mode 0600, its owner kept)."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    with draft.open("w") as file:
        file.write("".join(f"{key}\n" for key in keys))
        file.flush()
        os.fsync(file.fileno())
    if path.exists() and os.geteuid() == 0:
        owner = path.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)
    draft.rename(path)


def _distinct(roots: Sequence[str]) -> tuple[RootKey, ...]:
    return tuple(RootKey(root) for root in dict.fromkeys(roots))


@lru_cache(maxsize=16)
def _aead(root: RootKey) -> AESGCM:
    return AESGCM(root.derive("secrets at rest"))


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
