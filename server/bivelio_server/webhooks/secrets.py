"""The secrets that sign an endpoint's messages: making them, keeping them."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.secrets import Cipher

PREFIX: Final = "whsec_"
_GENERATED_BYTES: Final = 32


@dataclass(frozen=True, slots=True, repr=False)
class SigningSecrets:
    """`signing`, whole, keys X-BiVelio-Signature; `standard` the Standard Webhooks headers, None when `signing` can."""

    signing: str
    standard: str | None

    @property
    def standard_key(self) -> bytes:
        return base64.b64decode((self.standard or self.signing).removeprefix(PREFIX))


@dataclass(frozen=True, slots=True)
class SealedSecrets:
    """The secrets as stored, bound to the endpoint that `place` names."""

    signing: bytes
    standard: bytes | None
    place: str

    @classmethod
    def seal(cls, cipher: Cipher, secrets: SigningSecrets, place: str) -> "SealedSecrets":
        standard = None if secrets.standard is None else cipher.encrypt(secrets.standard, row=_row(place, "standard"))
        return cls(cipher.encrypt(secrets.signing, row=_row(place, "signing")), standard, place)

    def open(self, cipher: Cipher) -> SigningSecrets:
        """Raises DecryptionFailed."""
        standard = None
        if self.standard is not None:
            standard = cipher.decrypt(self.standard, row=_row(self.place, "standard"))
        return SigningSecrets(cipher.decrypt(self.signing, row=_row(self.place, "signing")), standard)


def choose_secrets(given: str | None) -> SigningSecrets:
    """The caller's own secret, or a generated one."""
    if given is None:
        return SigningSecrets(_generate(), None)
    return SigningSecrets(given, None if _is_standard(given) else _generate())


def place_of(org_id: UUID, environment: Environment, webhook_id: str) -> str:
    """Names the endpoint that its secrets are bound to."""
    return f"{org_id} {environment.value} {webhook_id}"


def _generate() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_GENERATED_BYTES)).decode()


def _is_standard(secret: str) -> bool:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return False
    return secret.startswith(PREFIX) and 24 <= len(key) <= 64


def _row(place: str, which: str) -> str:
    return f"webhook_endpoints.{which}_secret {place}"
