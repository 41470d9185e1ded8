"""A file sealed with a passphrase: scrypt makes the key, AES-256-GCM seals piece by piece.

The number of a piece, and whether it is the last, are part of its nonce: pieces can be neither moved, nor left out, nor
cut off at the end.
"""

import os
from typing import IO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

MAGIC: Final = b"BiVelio sealed 1\n"
_SALT_BYTES: Final = 16
_PREFIX_BYTES: Final = 7
_TAG_BYTES: Final = 16
_PIECE_BYTES: Final = 1 << 20
#: 64 MiB and about 0.2 s for each guess.
_SCRYPT_COST: Final = 1 << 16


class WrongPassphrase(Exception):
    """It does not open the file, or the file is damaged."""


class SealedWriter:
    """Seals what is written to it; `close` writes the last piece and leaves `target` open."""

    def __init__(self, target: IO[bytes], passphrase: str) -> None:
        salt, self._prefix = os.urandom(_SALT_BYTES), os.urandom(_PREFIX_BYTES)
        target.write(MAGIC + salt + self._prefix)
        self._target = target
        self._aead = _aead(passphrase, salt)
        self._pending = bytearray()
        self._pieces = 0

    def write(self, data: bytes) -> int:
        self._pending += data
        while len(self._pending) > _PIECE_BYTES:
            self._seal(bytes(self._pending[:_PIECE_BYTES]), last=False)
            del self._pending[:_PIECE_BYTES]
        return len(data)

    def close(self) -> None:
        self._seal(bytes(self._pending), last=True)

    def _seal(self, piece: bytes, *, last: bool) -> None:
        self._target.write(self._aead.encrypt(_nonce(self._prefix, self._pieces, last=last), piece, None))
        self._pieces += 1


class SealedReader:
    """What a SealedWriter wrote. Raises WrongPassphrase."""

    def __init__(self, source: IO[bytes], passphrase: str) -> None:
        header = source.read(len(MAGIC) + _SALT_BYTES + _PREFIX_BYTES)
        salt, self._prefix = header[len(MAGIC) : -_PREFIX_BYTES], header[-_PREFIX_BYTES:]
        self._source = source
        self._aead = _aead(passphrase, salt)
        self._next = source.read(_PIECE_BYTES + _TAG_BYTES)
        self._open = b""
        self._pieces = 0

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the end."""
        if not self._open and self._next:
            self._open = self._opened()
        piece, self._open = self._open[:size], self._open[size:]
        return piece

    def _opened(self) -> bytes:
        sealed, self._next = self._next, self._source.read(_PIECE_BYTES + _TAG_BYTES)
        try:
            piece = self._aead.decrypt(_nonce(self._prefix, self._pieces, last=not self._next), sealed, None)
        except InvalidTag:
            raise WrongPassphrase("The passphrase does not open this file, or the file is damaged.") from None
        self._pieces += 1
        return piece


def _aead(passphrase: str, salt: bytes) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=_SCRYPT_COST, r=8, p=1).derive(passphrase.encode()))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([last])
