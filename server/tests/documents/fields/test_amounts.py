"""Amounts and dates are read as they were written, in either notation."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bivelio_server.documents.fields import amounts, dates
from bivelio_server.documents.fields.papers.wording import date_in_words, number_in_words

MONEY = st.decimals(min_value=-99_999_999, max_value=99_999_999, places=2)
DAYS = st.dates(min_value=date(1970, 1, 1), max_value=date(2069, 12, 31))
MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre",
          "noviembre", "diciembre")  # fmt: skip


@given(MONEY)
def test_an_amount_in_spanish_notation_comes_back(value: Decimal) -> None:
    written = f"{value:,.2f}".translate(str.maketrans(",.", ".,"))
    assert amounts.parse(written, ",") == value


@given(MONEY)
def test_an_amount_in_english_notation_comes_back(value: Decimal) -> None:
    assert amounts.parse(f"{value:,.2f}", ".") == value


@pytest.mark.parametrize(
    ("written", "mark", "value"),
    [
        ("1.210,00", ",", "1210.00"),
        ("1.210,00", ".", "1210.00"),  # it can only be read the other way
        ("1.210", ",", "1210"),
        ("1.210", ".", "1.210"),
        ("12,5", ",", "12.5"),
        ("0,4527", ",", "0.4527"),
        ("1 234,50", ",", "1234.50"),
        ("1.234.567", ",", "1234567"),
    ],
)
def test_what_the_document_writes_before_cents_decides(written: str, mark: amounts.Mark, value: str) -> None:
    assert amounts.parse(written, mark) == Decimal(value)


@pytest.mark.parametrize("written", ["", "abc", "1.2.3", "1,2,3", "12-34", "1..2"])
def test_what_is_no_number_is_none(written: str) -> None:
    assert amounts.parse(written) is None


@given(DAYS)
def test_dates_come_back_from_every_way_to_write_them(day: date) -> None:
    for written in (f"{day:%d/%m/%Y}", f"{day:%d-%m-%y}", f"{day:%d.%m.%Y}", day.isoformat(),
                    f"{day.day} de {MONTHS[day.month - 1]} de {day.year}",
                    f"{day.day}-{MONTHS[day.month - 1][:3].upper()}-{day.year}"):  # fmt: skip
        assert dates.parse(written) == day, written
    assert dates.parse(f"{day:%m/%d/%Y}", "month") == day
    assert dates.parse(f"{day:%B} {day.day}, {day.year}") == day


@pytest.mark.parametrize("written", ["31/02/2026", "2026", "12/2026", "1.234,56", "45/45/2026", "F-2026/12"])
def test_what_is_no_date_is_none(written: str) -> None:
    assert dates.parse(written) is None


def test_dates_and_numbers_in_words() -> None:
    read = date_in_words("en madrid, a veintitres de abril de dos mil veintiseis")
    assert read is not None
    assert read[0] == date(2026, 4, 23)
    assert number_in_words("mil doscientos treinta y cuatro") == 1234
    assert number_in_words("mil cosas") is None
