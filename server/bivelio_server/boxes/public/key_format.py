"""Keys of boxes: `bbfe_<prefix>_<secret>`, 8 random base62 characters that tell one from another, then 32 that are
secret and 6 of checksum; stored as a SHA-256 digest only."""

import re
import secrets
from typing import Final, NamedTuple

from bivelio_server.accounts.api_keys import CHECKSUM_LENGTH, checksum_of, digest_of, random_base62

_MARK: Final = "bbfe_"
_PREFIX_LENGTH: Final = 8
_SECRET_LENGTH: Final = 32
_FORM: Final = re.compile(rf"{_MARK}[0-9A-Za-z]{{{_PREFIX_LENGTH}}}_[0-9A-Za-z]{{{_SECRET_LENGTH + CHECKSUM_LENGTH}}}")


class NewBoxKey(NamedTuple):
    """A key as its owner sees it, once."""

    key: str
    prefix: str
    digest: bytes


def generate_box_key() -> NewBoxKey:
    prefix = _MARK + random_base62(_PREFIX_LENGTH)
    body = f"{prefix}_{random_base62(_SECRET_LENGTH)}"
    key = body + checksum_of(body)
    return NewBoxKey(key, prefix, digest_of(key))


def is_well_formed_box_key(key: str) -> bool:
    """Whether form and checksum are right; a mistyped key is refused without asking the database."""
    if not _FORM.fullmatch(key):
        return False
    body, checksum = key[:-CHECKSUM_LENGTH], key[-CHECKSUM_LENGTH:]
    return secrets.compare_digest(checksum_of(body), checksum)
