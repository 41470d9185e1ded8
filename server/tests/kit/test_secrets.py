"""Secrets at rest, and the key that they come from."""

import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bivelio_server.kit.secrets import Cipher, DecryptionFailed, SecretKey, load_or_create_secret_key, write_keys

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


def test_what_the_previous_key_sealed_still_opens_and_the_present_one_seals() -> None:
    old, new = SecretKey("o" * 32), SecretKey("n" * 32, ["o" * 32])
    sealed = Cipher(old).encrypt("secret", row=ROW)

    assert Cipher(new).decrypt(sealed, row=ROW) == "secret"
    assert not sealed.startswith(Cipher(new).mark)
    assert Cipher(new).encrypt("secret", row=ROW).startswith(Cipher(new).mark)


def test_the_older_form_opens_with_any_key() -> None:
    unnamed = (
        b"\x01"
        + bytes(12)
        + AESGCM(SecretKey("o" * 32).derive("secrets at rest")).encrypt(bytes(12), b"secret", ROW.encode())
    )

    assert Cipher(SecretKey("n" * 32, ["o" * 32])).decrypt(unnamed, row=ROW) == "secret"


def test_a_running_process_follows_its_key_file(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    here = load_or_create_secret_key(path)
    old = here.present.text
    write_keys(path, ["n" * 32, old])
    sealed_elsewhere = Cipher(load_or_create_secret_key(path)).encrypt("secret", row=ROW)

    assert Cipher(here).decrypt(sealed_elsewhere, row=ROW) == "secret"
    assert [key.text for key in here.all] == ["n" * 32, old]
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["", "\n\n", "short"])
def test_a_damaged_key_file_does_not_disarm_a_running_process(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "secret.key"
    here = load_or_create_secret_key(path)
    old = here.present.text
    path.write_text(damage)

    assert here.find(b"none") is None
    assert here.present.text == old
    with pytest.raises(ValueError):
        load_or_create_secret_key(path)
