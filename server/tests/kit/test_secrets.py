"""Secrets at rest, and the key that they come from."""

import threading
from pathlib import Path

import pytest

from bivelio_server.kit.secrets import Cipher, DecryptionFailed, SecretKey, load_or_create_secret_key

ROW = "webhooks.signing_secret/org/live/wh_1"


@pytest.fixture
def cipher() -> Cipher:
    return Cipher(SecretKey("k" * 32))


def test_opens_in_its_own_row(cipher: Cipher) -> None:
    assert cipher.decrypt(cipher.encrypt("señal", row=ROW), row=ROW) == "señal"


def test_never_writes_the_same_twice_nor_the_plain_text(cipher: Cipher) -> None:
    once, again = cipher.encrypt("whsec_secret", row=ROW), cipher.encrypt("whsec_secret", row=ROW)

    assert once != again
    assert b"whsec_secret" not in once


def test_does_not_open_in_another_row(cipher: Cipher) -> None:
    with pytest.raises(DecryptionFailed):
        cipher.decrypt(cipher.encrypt("secret", row=ROW), row=ROW.replace("wh_1", "wh_2"))


def test_does_not_open_with_another_key(cipher: Cipher) -> None:
    with pytest.raises(DecryptionFailed):
        Cipher(SecretKey("j" * 32)).decrypt(cipher.encrypt("secret", row=ROW), row=ROW)


@pytest.mark.parametrize("damage", [lambda sealed: sealed[:-1], lambda sealed: sealed[:5], lambda sealed: b""])
def test_does_not_open_when_damaged(cipher: Cipher, damage) -> None:
    with pytest.raises(DecryptionFailed):
        cipher.decrypt(damage(cipher.encrypt("secret", row=ROW)), row=ROW)


def test_every_purpose_has_its_own_key() -> None:
    key = SecretKey("k" * 32)

    assert len({key.derive("a"), key.derive("b"), b"k" * 32}) == 3


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 characters"):
        SecretKey("short")


def test_processes_that_start_at_once_share_the_key(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret.key"
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(load_or_create_secret_key(path).derive("a"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]
