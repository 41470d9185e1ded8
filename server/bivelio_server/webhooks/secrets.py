"""The secrets that sign an endpoint's messages: making them, keeping them."""

import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
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


@dataclass(frozen=True, slots=True, repr=False)
class Signers:
    """What signs an endpoint's messages: `previous` too, while the grace of a rotation lasts."""

    present: SigningSecrets
    previous: SigningSecrets | None = None


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


@dataclass(frozen=True, slots=True)
class SealedSigners:
    """The secrets of an endpoint as stored, as far as they sign at one moment."""

    present: SealedSecrets
    previous: SealedSecrets | None

    @classmethod
    def of(cls, row: "Sealed", place: str, now: datetime) -> "SealedSigners":
        present = SealedSecrets(row.signing_secret, row.standard_secret, place)
        if row.previous_signing_secret is None or row.previous_until is None or row.previous_until <= now:
            return cls(present, None)
        return cls(present, SealedSecrets(row.previous_signing_secret, row.previous_standard_secret, place))

    def open(self, cipher: Cipher) -> Signers:
        """Raises DecryptionFailed."""
        return Signers(self.present.open(cipher), None if self.previous is None else self.previous.open(cipher))


class Sealed(Protocol):
    """The columns of an endpoint that hold its secrets."""

    @property
    def signing_secret(self) -> bytes: ...
    @property
    def standard_secret(self) -> bytes | None: ...
    @property
    def previous_signing_secret(self) -> bytes | None: ...
    @property
    def previous_standard_secret(self) -> bytes | None: ...
    @property
    def previous_until(self) -> datetime | None: ...


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
