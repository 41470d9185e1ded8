"""API keys: `bv_live_sk_` + 24 random base62 characters + 6 of checksum, stored as a SHA-256 digest only."""

import hashlib
import secrets
import string
import zlib
from typing import Final, NamedTuple

from bivelio_server.kit.caller import Environment

_BASE62: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 24
CHECKSUM_LENGTH: Final = 6
PUBLISHABLE_PREFIX: Final = "bv_live_pk_"
_PREFIXES: Final = {
    ("secret", Environment.live): "bv_live_sk_",
    ("secret", Environment.sandbox): "bv_test_sk_",
    ("publishable", Environment.live): PUBLISHABLE_PREFIX,
}
PREFIXES: Final = tuple(_PREFIXES.values())


class NewKey(NamedTuple):
    """A key as its owner sees it, once."""

    key: str
    prefix: str
    digest: bytes

    @property
    def last4(self) -> str:
        return self.key[-4:]


def is_offered(key_type: str, environment: Environment) -> bool:
    return (key_type, environment) in _PREFIXES


def generate_key(key_type: str, environment: Environment) -> NewKey:
    prefix = _PREFIXES[key_type, environment]
    body = prefix + random_base62(_RANDOM_LENGTH)
    key = body + checksum_of(body)
    return NewKey(key, prefix, digest_of(key))


def digest_of(key: str) -> bytes:
    """Fast on purpose: a key has 142 random bits, so a slow hash would protect nothing."""
    return hashlib.sha256(key.encode()).digest()


def is_well_formed_key(key: str) -> bool:
    """Whether prefix and checksum are right; a mistyped key is refused without asking the database."""
    body, checksum = key[:-CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    length = len(body) - _RANDOM_LENGTH
    return key.isascii() and body[:length] in PREFIXES and secrets.compare_digest(checksum_of(body), checksum)


def random_base62(length: int) -> str:
    return "".join(secrets.choice(_BASE62) for _ in range(length))


def checksum_of(body: str) -> str:
    """Six characters that a mistyped key does not match."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits
