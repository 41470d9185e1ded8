"""Languages and folding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bivelio_server.kit.search import search_words, searchable
from bivelio_server.kit.text import Language, Text, fold, negotiate_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "es"),
        ("", "es"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("EN-us", "en"),
        ("fr, en;q=0.5", "en"),
        ("fr", "es"),
        ("es;q=0.5, en", "en"),
        ("en;q=0.5, es;q=0.9", "es"),
        ("en;q=0", "es"),
        ("en;q=nonsense", "es"),
        ("en;q=nan, es;q=0.1", "es"),
        ("en;level=1", "en"),
        (";;;,,,=", "es"),
        ("x," * 10_000 + "en", "es"),
    ],
)
def test_negotiates_the_language(header: str | None, language: Language) -> None:
    assert negotiate_language(header) == language


def test_a_text_speaks_both_languages() -> None:
    text = Text("Faltan {count}", "{count} missing").format(count=2)

    assert (text.in_language("es"), text.in_language("en")) == ("Faltan 2", "2 missing")


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("Gestoría  Peña", "gestoria pena"),
        ("  ÁÉÍÓÚ üÑ ç ", "aeiou un c"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Maria\u0301", "maria"),
        ("Ａｃｍｅ™", "acmetm"),
        ("№ 5", "no 5"),
        ("İstanbul", "istanbul"),
        ("a\u00a0b\tc\nd", "a b c d"),
    ],
)
def test_folds(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@given(st.text())
def test_folding_again_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (None, []),
        ("   ", []),
        ("María GARCÍA", ["maria", "garcia"]),
        ("100%", ["100\\%"]),
        ("a_b\\", ["a\\_b\\\\"]),
        ("+34 600 111 222", ["34600111222"]),
        ("600-111-222", ["600111222"]),
    ],
)
def test_search_words(typed: str | None, words: list[str]) -> None:
    assert search_words(typed) == words


def test_searchable_text_skips_what_is_missing() -> None:
    assert searchable("María", None, "maria@ejemplo.com") == "maria maria@ejemplo.com"
