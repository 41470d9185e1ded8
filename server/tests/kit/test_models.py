"""Shortcuts of validation decide exactly as the libraries do."""

import unicodedata

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from bivelio_server.kit.models import normal_email
from bivelio_server.kit.text import fold
from bivelio_server.kit.validation import FieldError

_LOCAL = st.text(alphabet="aZ09.-_+!'\" @ñé\\(", max_size=66)
_DOMAIN = st.text(alphabet="aZ09.-_ñÑé[]:１。", max_size=40)


@given(st.builds(lambda local, domain: f"{local}@{domain}", _LOCAL, _DOMAIN | st.sampled_from(["Ejemplo.COM", "x.es"])))
@example("Postmaster@Ejemplo.com")
@example("POSTMASTER@xn--espaa-rta.com")
@example("maria@ESPAÑA.com")
@example(f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.com")
@example(f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 58}.com")
@example(f"{'a' * 65}@ejemplo.com")
@example("a..b@ejemplo.com")
@example("a@b@ejemplo.com")
@example("a@localhost")
@example("a@127.0.0.1")
@example("a@ejemplo.com.")
@example("")
@example("@")
def test_an_email_is_normalised_as_the_library_does(address: str) -> None:
    try:
        expected = validate_email(address, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        with pytest.raises(FieldError):
            normal_email(address)
    else:
        assert normal_email(address) == expected


@given(st.text(alphabet=st.characters(max_codepoint=0x17F)))
@example("A\x1cB\x85C")
def test_folding_plain_text_is_folding(text: str) -> None:
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    marked = "".join(char for char in decomposed if not unicodedata.combining(char))

    assert fold(text) == " ".join(marked.split())
