"""The signatures, against the official library and the printed function."""

import hashlib
import hmac
import random
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from bivelio_server.webhooks.messages import Message, signed_headers
from bivelio_server.webhooks.secrets import Signers, choose_secrets

MESSAGE = Message("del_01", "contact.created", b'{"event":"contact.created","data":{"name":"Pe\xc3\xb1a"}}')


def test_the_official_library_accepts_our_message() -> None:
    secrets = choose_secrets(None)
    headers = signed_headers(MESSAGE, Signers(secrets), datetime.now(UTC))

    assert Webhook(secrets.signing).verify(MESSAGE.body, dict(headers))["event"] == "contact.created"


def test_a_flipped_bit_is_refused() -> None:
    secrets = choose_secrets(None)
    headers = dict(signed_headers(MESSAGE, Signers(secrets), datetime.now(UTC)))
    signed = bytearray(f"{headers['webhook-id']}|{headers['webhook-timestamp']}|".encode() + MESSAGE.body)
    dice = random.Random(5)

    accepted = 0
    for _ in range(1000):
        changed = bytearray(signed)
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        accepted += _is_accepted(secrets.signing, bytes(changed), headers)

    assert accepted == 0


@pytest.mark.parametrize(
    ("secret", "needs_another"),
    [
        ("whsec_" + "MDEy" * 8, False),  # 24 bytes
        ("whsec_" + "MDEy" * 21, False),  # 63 bytes
        ("whsec_" + "MDEy" * 7, True),  # 21 bytes
        ("whsec_" + "MDEy" * 22, True),  # 66 bytes
        ("whsec_tu_secreto_de_verificacion", True),
        ("MDEy" * 8, True),  # no prefix
        ("contraseña del señor Peña", True),
    ],
)
def test_a_secret_that_is_no_key_gets_one_beside_it(secret: str, needs_another: bool) -> None:
    secrets = choose_secrets(secret)

    assert secrets.signing == secret
    assert (secrets.standard is not None) == needs_another
    assert 24 <= len(secrets.standard_key) <= 64


@pytest.mark.parametrize(("seconds", "accepted"), [(-299, True), (299, True), (-301, False), (301, False)])
def test_an_old_message_is_refused_by_its_time(seconds: int, accepted: bool) -> None:
    secrets = choose_secrets(None)
    headers = signed_headers(MESSAGE, Signers(secrets), datetime.now(UTC) + timedelta(seconds=seconds))

    assert _verifies(secrets.signing, MESSAGE.body, headers) is accepted


def test_while_a_secret_changes_both_are_accepted_and_no_other() -> None:
    old, new = choose_secrets(None), choose_secrets("contraseña del señor Peña")
    headers = signed_headers(MESSAGE, Signers(new, old), datetime.now(UTC))

    assert new.standard is not None
    assert _verifies(old.signing, MESSAGE.body, headers)
    assert _verifies(new.standard, MESSAGE.body, headers)
    assert not _verifies(choose_secrets(None).signing, MESSAGE.body, headers)


def test_secrets_do_not_show_in_a_log_line() -> None:
    secrets = choose_secrets(None)

    assert secrets.signing not in repr(secrets)


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def _is_accepted(secret: str, changed: bytes, headers: dict[str, str]) -> bool:
    parts = changed.split(b"|", 2)
    if len(parts) < 3:
        return False
    message_id, timestamp, body = parts
    try:
        texts = {"webhook-id": message_id.decode(), "webhook-timestamp": timestamp.decode()}
        Webhook(secret).verify(body, {**headers, **texts}, json_parse=False)
    except (WebhookVerificationError, ValueError):
        pass
    else:
        return True
    printed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return body != MESSAGE.body and hmac.compare_digest(headers["X-BiVelio-Signature"], printed)
