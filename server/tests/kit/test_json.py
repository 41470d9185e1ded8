"""The JSON codec: what it refuses, how fast, and that Decimals survive."""

import json as stdlib_json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bivelio_server.kit import json
from bivelio_server.kit.json import MAX_DEPTH, InvalidJSON

MANY = 1_000_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no es JSON válido"),
        ("{", "no es JSON válido"),
        ("{}{}", "no es JSON válido"),
        ("\ufeff{}", "no es JSON válido"),
        ("{'a': 1}", "no es JSON válido"),
        ('{"a": 1,}', "no es JSON válido"),
        ('"a\nb"', "no es JSON válido"),
        ('{"a": 1, "a": 2}', "La clave 'a' está repetida"),
        ('[{"x": {"a": 1, "\\u0061": 2}}]', "La clave 'a' está repetida"),
        ("NaN", "NaN no es JSON"),
        ("[-Infinity]", "-Infinity no es JSON"),
        ("1e999", "fuera de rango"),
        ("1e-999", "fuera de rango"),
        ("0e99999999999999999999", "fuera de rango"),
        ("1e-99999999999999999999", "fuera de rango"),
        ("9" * 41, "demasiadas cifras"),
        ("0." + "1" * 41, "demasiadas cifras"),
        ('"\\ud800"', "sustituto"),
        ('{"\\udc00": 1}', "sustituto"),
        ('["\\ud83d\\ud83d"]', "sustituto"),
        ('"a\\u0000b"', "NUL"),
        ('{"a\\u0000": 1}', "NUL"),
        ("[" * 100_000, "anidado"),
        ('{"a":' * 100_000, "anidado"),
        ("[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2), "anidado"),
        ("9" * MANY, "demasiadas cifras"),
    ],
    ids=lambda value: value[:24] or "nothing",
)
def test_refuses_quickly_and_says_why(text: str, reason: str) -> None:
    started = time.perf_counter()

    with pytest.raises(InvalidJSON) as refused:
        json.loads(text)

    assert reason in refused.value.reason.es
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("raw", [b'"\xed\xa0\x80"', b'"\xff"', '"ñ"'.encode("latin-1"), b'"\xc0\x80"'])
def test_refuses_what_is_not_utf8(raw: bytes) -> None:
    with pytest.raises(InvalidJSON) as refused:
        json.loads(raw)

    assert refused.value.reason.en == "The text is not UTF-8."


def test_refuses_a_million_equal_keys_quickly() -> None:
    text = "{" + '"a":1,' * MANY + '"a":1}'
    started = time.process_time()

    with pytest.raises(InvalidJSON):
        json.loads(text)

    assert time.process_time() - started < 4


def test_reads_a_million_keys_quickly() -> None:
    text = "{" + ",".join(f'"{number}":1' for number in range(MANY)) + "}"
    started = time.process_time()

    assert len(json.loads(text)) == MANY

    assert time.process_time() - started < 6


def test_reads_escapes_that_are_text() -> None:
    assert json.loads(r'["\ud83d\ude00", "\\u0000", "\\ud800"]') == ["😀", r"\u0000", r"\ud800"]


def test_reads_as_deep_as_allowed() -> None:
    text = "[" * MAX_DEPTH + "]" * MAX_DEPTH

    assert json.dumps(json.loads(text)) == text.encode()


@pytest.mark.parametrize(
    "text", ["1.10", "0.1", "-0.00", "100", "12345678901234567890.123456789", "18446744073709551616", "9" * 40]
)
def test_numbers_come_back_exactly(text: str) -> None:
    assert json.dumps(json.loads(text)).decode() == text
    assert json.dumps(json.loads_trusted(text)).decode() == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=10))
def test_every_amount_comes_back_exactly(amount: Decimal) -> None:
    assert json.loads(json.dumps({"amount": amount})) == {"amount": amount}


_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**38), 10**38) | _TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(_TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(_VALUES)
def test_what_is_read_can_be_written_again(value: object) -> None:
    written = json.dumps(json.loads(_text_of(value)))

    assert json.loads(written) == value


def _text_of(value: object) -> str:
    return stdlib_json.dumps(value)
