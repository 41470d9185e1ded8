"""The secret key of an installation and what is derived from it: signing, encryption, the serving role's password."""

import base64
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES: Final = 12
_KEY_ID: Final = b"\x01"


class DecryptionFailed(Exception):
    """The stored secret was written with another key, or for another row."""


class SecretKey:
    """The root key; every purpose gets its own key from it, so that none reveals another."""

    def __init__(self, root: str) -> None:
        if len(root) < 32:
            raise ValueError("BIVELIO_SECRET_KEY must have at least 32 characters")
        self._root = root.encode()

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return HKDF(SHA256(), length=32, salt=b"bivelio", info=purpose.encode()).derive(self._root)

    def password(self, purpose: str) -> str:
        return base64.urlsafe_b64encode(self.derive(purpose)).decode().rstrip("=")


class Cipher:
    """AES-256-GCM bound to the row that holds the secret: moved to another row it does not open."""

    def __init__(self, key: SecretKey) -> None:
        self._aead = AESGCM(key.derive("secrets at rest"))

    def encrypt(self, plain: str, *, row: str) -> bytes:
        """`row` names the place: table, column, organisation, environment, id."""
        nonce = os.urandom(_NONCE_BYTES)
        return _KEY_ID + nonce + self._aead.encrypt(nonce, plain.encode(), row.encode())

    def decrypt(self, stored: bytes, *, row: str) -> str:
        """Raises DecryptionFailed."""
        nonce, sealed = stored[1 : 1 + _NONCE_BYTES], stored[1 + _NONCE_BYTES :]
        try:
            return self._aead.decrypt(nonce, sealed, row.encode()).decode()
        except (InvalidTag, ValueError):
            raise DecryptionFailed(row) from None


def load_or_create_secret_key(path: Path) -> SecretKey:
    """The key in `path` (mode 0600), made at the first start. Safe when several processes start at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    if not path.exists():
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return SecretKey(path.read_text().strip())
