"""Taking secrets out of what is recorded."""

import base64
from collections.abc import Callable

import pytest

from bivelio_server.workflows.vault.masking import MASK, Masking
from tests.workflows.secret_forms import CANARY, PLAIN, forms


@pytest.mark.parametrize("secret", [CANARY, PLAIN, "ñandú-über-straße", 'a\\b"c/d\n\te', "12345678"])
def test_every_usual_form_is_masked(secret: str) -> None:
    masking = Masking([secret])

    for form in (*forms(secret), secret.upper() if secret.isascii() else secret):
        assert MASK in masking.text(f"before {form} after"), form
    assert masking.value({secret: [1, True, None, {"a": secret}]}) == {MASK: [1, True, None, {"a": MASK}]}


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_of_more_than_the_secret_is_masked(before: bytes, encode: Callable[[bytes], bytes]) -> None:
    for secret in (CANARY, PLAIN):
        assert MASK in Masking([secret]).text(encode(before + secret.encode() + b"!").decode())


def test_a_number_may_be_a_secret() -> None:
    assert Masking(["12345678"]).value({"pin": 12345678, "other": 1234567}) == {"pin": MASK, "other": 1234567}


def test_other_text_stays_as_it_is() -> None:
    value = {"name": "Ana", "total": [1.5, True, None], "text": "canary"}

    assert Masking([CANARY, PLAIN]).value(value) is value
    assert Masking([]).text("anything") == "anything"


def test_the_longer_of_two_secrets_is_masked_as_a_whole() -> None:
    assert Masking(["abcdefgh", "abcdefgh-ijkl"]).text("<abcdefgh-ijkl> <abcdefgh>") == f"<{MASK}> <{MASK}>"
