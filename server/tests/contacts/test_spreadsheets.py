"""CSV: what spreadsheets write is understood, and what they would execute is defused."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bivelio_server.contacts.columns import guess
from bivelio_server.contacts.spreadsheets import decode, guarded, read_rows, sniff, unguarded, write_rows

FORMULAS = [
    "=1+1", "+34 600 111 222", "-5", "@SUM(A1)", "\tx", "\rx", "\n=1", "＝1", "＋1", "－1", "＠x", "−1",
    "'=1", '"=1', "  =1", " ' \" =1", "''=1", "“=1", "=cmd|' /C calc'!A0", "'+34", "\u00a0=1", "`=1",
]  # fmt: skip
PLAIN = ["Maria", "'hola", "a=1", "3-4", "1+1", "'", "", "maria@ejemplo.com", "Peña", "'' x"]


@pytest.mark.parametrize("text", [*FORMULAS, *PLAIN])
def test_a_formula_is_defused_and_comes_back(text: str) -> None:
    written = guarded(text)

    assert unguarded(written) == text
    assert written.startswith("'") if text in FORMULAS else written == text
    assert unguarded(guarded(written)) == written


@given(st.text(alphabet=st.sampled_from("=+-@\t\r\n '\"＝a1é\u00a0"), max_size=8))
def test_whatever_is_written_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not re.match(r"[=+\-@\t\r\x00＝＋－＠]", guarded(text))


@given(
    st.lists(st.lists(st.text(alphabet="ab,;\"'\n=+ é", min_size=1, max_size=6), min_size=3, max_size=3), min_size=1)
)
def test_a_file_of_ours_is_read_as_it_was(rows: list[list[str]]) -> None:
    text = decode(write_rows(rows, ",", first=True), None)

    assert [[unguarded(cell) for cell in cells] for _, cells in read_rows(text, ",")] == rows


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_finds_out_the_delimiter(delimiter: str) -> None:
    lines = [
        "Nombre,Correo,Nota".replace(",", delimiter),
        f'"a{delimiter}b","c, d; e",f'.replace('",', f'"{delimiter}', 2),
    ]

    assert sniff("\n".join(lines)) == delimiter


def test_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    text = 'sep=;\r\nNombre;Nota\r\n\r\nMaria;"una\nnota"\r\nJuan;\r\n'

    assert list(read_rows(text, ";")) == [
        (2, ["Nombre", "Nota"]), (4, ["Maria", "una\nnota"]), (5, ["Juan", ""]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (["Nombre", "Correo electrónico", "Teléfono", "Empresa"], ["name", "email", "phone", "company"]),
        (["FULL NAME", "E-mail", "Phone number", "Company"], ["name", "email", "phone", "company"]),
        (["First Name", "Last Name", "Mobile", "Tags"], ["first_name", "last_name", "phone", "tags"]),
        (["id", "created_at", "custom_fields.origen", "name"], ["custom_fields.origen", "name"]),
        (["Nombre", "Nombre completo"], ["name"]),
    ],
)
def test_understands_headers_in_both_languages(header: list[str], fields: list[str]) -> None:
    assert [column.field for column in guess(header)] == fields
