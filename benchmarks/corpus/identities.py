"""Identity cards, residence cards and passports, as photocopies and telephones show them."""

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import FIRST, LAST, STREETS, TOWNS
from stdnum.es import dni, nie

Made = tuple[bytes, dict[str, Any]]
#: A card in points, drawn larger as copies are.
_CARD = (486.0, 306.0)
_MONTHS = (
    "ENE/JAN",
    "FEB/FEB",
    "MAR/MAR",
    "ABR/APR",
    "MAY/MAY",
    "JUN/JUN",
    "JUL/JUL",
    "AGO/AUG",
    "SEP/SEP",
    "OCT/OCT",
    "NOV/NOV",
    "DIC/DEC",
)


@dataclass(frozen=True)
class Holder:
    surnames: str
    name: str
    number: str
    card: str
    nationality: str
    born: date
    expires: date
    sex: str
    address: str

    def truth(self, kind: str, *, card: bool = True) -> dict[str, Any]:
        return {"kind": kind, "document_number": self.card if card else None, "id_number": self.number, "surnames": self.surnames, "name": self.name,
                "nationality": self.nationality, "birth_date": self.born.isoformat(), "expiry_date": self.expires.isoformat(), "sex": self.sex}  # fmt: skip


def _holder(random: Random, nationality: str = "ESP") -> Holder:
    born = date(1950, 1, 1) + timedelta(days=random.randint(0, 19_000))
    expires = date(2026, 1, 1) + timedelta(days=random.randint(0, 3500))
    letters = "".join(random.choice("ABCDEFGHJKLM") for _ in range(3))
    first = random.choice(FIRST)
    sex = "F" if first in ("María", "Lucía", "Carmen", "Núria", "Begoña", "Montserrat") else "M"
    street = f"{random.choice(STREETS)}, {random.randint(1, 90)}, {random.choice(TOWNS)[1]}"
    return Holder(f"{random.choice(LAST)} {random.choice(LAST)}".upper(), first.upper(), _number(random, nationality),
                  letters + f"{random.randint(0, 999999):06}", nationality, born, expires, sex, street)  # fmt: skip


def _number(random: Random, nationality: str) -> str:
    if nationality == "ESP":
        digits = f"{random.randint(10_000_000, 79_999_999)}"
        return digits + dni.calc_check_digit(digits)
    digits = f"{random.choice('XYZ')}{random.randint(0, 9_999_999):07}"
    return digits + nie.calc_check_digit(digits)


def identity_card_copy(random: Random) -> Made:
    """Both sides of a DNI on a sheet."""
    holder = _holder(random)
    page = Paper("Helvetica", 8)
    page.box(60, 60, 400, 275)
    page.lines(80, 82, ["ESPAÑA", "DOCUMENTO NACIONAL DE IDENTIDAD"], leading=12, bold=True)
    _front(page, 170, 115, holder)
    page.box(60, 330, 400, 545)
    page.lines(
        80,
        352,
        [
            "DOMICILIO / DOMICILE",
            holder.address.upper(),
            "LUGAR DE NACIMIENTO / PLACE OF BIRTH",
            random.choice(TOWNS)[1].upper(),
            "EQUIPO / OFFICE 28A12L6D1",
        ],
        leading=13,
    )
    page.lines(80, 470, card_zone(holder, "ID"), leading=20, size=15)
    return page.pdf(), holder.truth("dni")


def _front(page: Paper, x: float, y: float, holder: Holder) -> None:
    for label, value in (("APELLIDOS", holder.surnames), ("NOMBRE", holder.name)):
        page.text(x, y, label, size=6)
        page.text(x, y + 11, value, bold=True, size=10)
        y += 27
    for at, label, value in (
        (0, "SEXO", holder.sex),
        (50, "NACIONALIDAD", holder.nationality),
        (120, "FECHA DE NACIMIENTO", f"{holder.born:%d %m %Y}"),
    ):
        page.text(x + at, y, label, size=6)
        page.text(x + at, y + 11, value, size=9)
    y += 27
    for at, label, value in ((0, "NUM SOPORT", holder.card), (120, "VALIDEZ", f"{holder.expires:%d %m %Y}")):
        page.text(x + at, y, label, size=6)
        page.text(x + at, y + 11, value, size=9)
    page.text(x, y + 36, f"DNI {holder.number}", bold=True, size=13)


def identity_card_front(random: Random) -> Made:
    """One side, as its holder photographs it: nothing but labels tells what is what."""
    holder = _holder(random)
    page = Paper("Helvetica", 9, _CARD)
    page.text(20, 28, "DOCUMENTO NACIONAL DE IDENTIDAD", bold=True, size=12)
    page.text(20, 60, "DNI", size=8)
    page.text(45, 60, holder.number, bold=True, size=13)
    y = 85.0
    for label, value in (("APELLIDOS / SURNAMES", holder.surnames), ("NOMBRE / NAME", holder.name)):
        page.text(200, y, label, size=7)
        page.text(200, y + 14, value, bold=True, size=12)
        y += 38
    page.row(y, [(200, "l", "SEXO / SEX"), (290, "l", "NACIONALIDAD / NAT.")], size=7)
    page.row(y + 13, [(200, "l", holder.sex), (290, "l", holder.nationality)], size=11)
    page.row(y + 38, [(200, "l", "FECHA DE NACIMIENTO / DATE OF BIRTH")], size=7)
    page.row(y + 51, [(200, "l", f"{holder.born:%d %m %Y}")], size=11)
    page.row(y + 72, [(200, "l", "SOPORTE Nº"), (330, "l", "VÁLIDO HASTA / VALID UNTIL")], size=7)
    page.row(y + 85, [(200, "l", holder.card), (330, "l", f"{holder.expires:%d %m %Y}")], size=11)
    return page.pdf(), holder.truth("dni")


def passport(random: Random) -> Made:
    holder = _holder(random)
    page = Paper("Helvetica", 9, (500, 350))
    page.row(30, [(30, "l", "PASAPORTE / PASSPORT"), (250, "l", "REINO DE ESPAÑA")], bold=True, size=11)
    page.row(
        52, [(180, "l", "Tipo/Type"), (250, "l", "País/Country code"), (350, "l", "Pasaporte nº/Passport no.")], size=6
    )
    page.row(64, [(180, "l", "P"), (250, "l", "ESP"), (350, "l", holder.card)], size=10)
    y = 82.0
    for label, value in (
        ("Apellidos/Surname", holder.surnames),
        ("Nombre/Given names", holder.name),
        ("Nacionalidad/Nationality", "ESPAÑOLA"),
    ):
        page.text(180, y, label, size=6)
        page.text(180, y + 12, value, size=10)
        y += 26
    for label, value in (
        ("Fecha de nacimiento/Date of birth", holder.born),
        ("Fecha de caducidad/Date of expiry", holder.expires),
    ):
        page.text(180, y, label, size=6)
        page.text(180, y + 12, f"{value:%d} {_MONTHS[value.month - 1]} {value:%Y}", size=10)
        y += 26
    page.row(y, [(180, "l", "Sexo/Sex"), (250, "l", "Nº personal/Personal no.")], size=6)
    page.row(y + 12, [(180, "l", holder.sex), (250, "l", holder.number)], size=10)
    page.font = "Courier"
    page.lines(20, 300, passport_zone(holder), leading=22, size=17)
    return page.pdf(), holder.truth("passport")


def residence_card(random: Random) -> Made:
    """Both sides of a foreigner's card, one below the other, smaller than it is."""
    holder = _holder(random, random.choice(("COL", "MAR", "GBR", "VEN")))
    page = Paper("Times-Roman", 9)
    page.text(90, 90, "PERMISO DE RESIDENCIA", bold=True, size=11)
    page.text(90, 104, "ESPAÑA  EXTRANJERO", size=8)
    page.lines(150, 130, [f"NIE {holder.number}", holder.surnames, holder.name], leading=15, size=11)
    page.lines(150, 185, [f"Sexo {holder.sex}   Nacionalidad {holder.nationality}", f"Fecha de nacimiento {holder.born:%d-%m-%Y}", f"Válido hasta {holder.expires:%d-%m-%Y}",
                          "Tipo de permiso: RESIDENCIA LARGA DURACIÓN"], leading=14)  # fmt: skip
    page.text(90, 330, f"Domicilio {holder.address}", size=8)
    page.font = "Courier"
    page.lines(90, 400, card_zone(holder, "IR"), leading=18, size=14)
    return page.pdf(), holder.truth("nie")


def card_zone(holder: Holder, kind: str) -> list[str]:
    """Three lines of 30 characters (ICAO 9303, TD1); the person's number in the first one, as in Spain."""
    first = f"{kind}ESP{holder.card}{check_digit(holder.card)}{holder.number}".ljust(30, "<")
    born, expires = f"{holder.born:%y%m%d}", f"{holder.expires:%y%m%d}"
    second = f"{born}{check_digit(born)}{holder.sex}{expires}{check_digit(expires)}{holder.nationality}".ljust(29, "<")
    whole = check_digit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
    return [first, second + whole, _names(holder, 30)]


def passport_zone(holder: Holder) -> list[str]:
    """Two lines of 44 characters (ICAO 9303, TD3)."""
    born, expires = f"{holder.born:%y%m%d}", f"{holder.expires:%y%m%d}"
    personal = f"{holder.number}".ljust(14, "<")
    second = f"{holder.card}{check_digit(holder.card)}{holder.nationality}{born}{check_digit(born)}{holder.sex}{expires}{check_digit(expires)}{personal}{check_digit(personal)}"
    whole = check_digit(second[0:10] + second[13:20] + second[21:43])
    return ["P<ESP" + _names(holder, 39), second + whole]


def check_digit(text: str) -> str:
    values = (0 if letter == "<" else int(letter, 36) for letter in text)
    return str(sum(value * (7, 3, 1)[index % 3] for index, value in enumerate(values)) % 10)


def _names(holder: Holder, length: int) -> str:
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFD", f"{holder.surnames}<<{holder.name}")
        if not unicodedata.combining(letter)
    )
    return plain.replace(" ", "<")[:length].ljust(length, "<")


TUNED = {"identity_card_copy": identity_card_copy, "identity_card_front": identity_card_front}
HELD_OUT = {"passport": passport, "residence_card": residence_card}
