"""What is signed before a notary."""

from decimal import Decimal
from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import FIRST, LAST, MONTHS, TOWNS, Party, day, es, party
from corpus.papers import prose

Made = tuple[bytes, dict[str, Any]]
_UNITS = ("", "UNO", "DOS", "TRES", "CUATRO", "CINCO", "SEIS", "SIETE", "OCHO", "NUEVE", "DIEZ", "ONCE", "DOCE", "TRECE", "CATORCE", "QUINCE",
          "DIECISÉIS", "DIECISIETE", "DIECIOCHO", "DIECINUEVE", "VEINTE", "VEINTIUNO", "VEINTIDÓS", "VEINTITRÉS", "VEINTICUATRO",
          "VEINTICINCO", "VEINTISÉIS", "VEINTISIETE", "VEINTIOCHO", "VEINTINUEVE")  # fmt: skip
_TENS = ("", "", "", "TREINTA", "CUARENTA", "CINCUENTA", "SESENTA", "SETENTA", "OCHENTA", "NOVENTA")
_HUNDREDS = (
    "",
    "CIENTO",
    "DOSCIENTOS",
    "TRESCIENTOS",
    "CUATROCIENTOS",
    "QUINIENTOS",
    "SEISCIENTOS",
    "SETECIENTOS",
    "OCHOCIENTOS",
    "NOVECIENTOS",
)


def in_words(number: int) -> str:
    """Up to 9 999."""
    thousands, rest = divmod(number, 1000)
    words = [] if not thousands else ["MIL"] if thousands == 1 else [_UNITS[thousands], "MIL"]
    hundreds, rest = divmod(rest, 100)
    words += ["CIEN"] if hundreds == 1 and not rest else [_HUNDREDS[hundreds]] if hundreds else []
    if rest < 30:
        words += [_UNITS[rest]] if rest else []
    else:
        tens, units = divmod(rest, 10)
        words += [_TENS[tens], *(["Y", _UNITS[units]] if units else [])]
    return " ".join(words)


def _data(random: Random, first: bool, second: bool) -> tuple[dict[str, Any], Party, Party, str]:
    """The truth, two parties (`first` and `second` say which are companies) and the notary's name."""
    notary = f"{random.choice(FIRST)} {random.choice(LAST)} {random.choice(LAST)}"
    one, other = party(random, company=first), party(random, company=second)
    truth = {"notary": notary, "protocol_number": str(random.randint(101, 4999)), "date": day(random), "place": random.choice(TOWNS)[1],
             "parties": [{"name": one.name, "nif": one.nif}, {"name": other.name, "nif": other.nif}]}  # fmt: skip
    return truth, one, other, notary


def _wire(truth: dict[str, Any]) -> dict[str, Any]:
    return {**truth, "date": truth["date"].isoformat()}


def sale(random: Random) -> Made:
    truth, one, other, notary = _data(random, first=False, second=False)
    when, number = truth["date"], int(truth["protocol_number"])
    page = Paper("Times-Roman", 11)
    page.text(297, 60, "ESCRITURA DE COMPRAVENTA", bold=True, size=14, align="c")
    prose(page, 95, [
        f"NÚMERO {in_words(number)} ({es(Decimal(number), 0)}).", "",
        f"En {random.choice(('', 'la Villa de '))}{truth['place']}, mi residencia, a {in_words(when.day).lower()} de {MONTHS[when.month - 1]} de {in_words(when.year).lower()}.", "",
        f"Ante mí, {random.choice(('', 'DON ', 'DOÑA '))}{notary.upper()}, Notario del Ilustre Colegio de {random.choice(TOWNS)[1]},", "", "COMPARECEN", "",
        f"De una parte, como vendedor: DON {one.name.upper()}, mayor de edad, soltero, vecino de {one.town}, con domicilio en {one.street}, y con DNI {one.nif}.", "",
        f"Y de otra parte, como comprador: DOÑA {other.name.upper()}, mayor de edad, casada, vecina de {other.town}, con domicilio en {other.street}, y con DNI {other.nif}.", "",
        "INTERVIENEN en su propio nombre y derecho. Tienen, a mi juicio, capacidad legal para otorgar esta escritura de compraventa, y al efecto,", "", "EXPONEN", "",
        f"I. Que el vendedor es dueño de la finca urbana sita en {one.town}, inscrita en el Registro de la Propiedad al tomo 1203, libro 88, folio 12.", "",
        "OTORGAN", "", f"PRIMERO. El precio de la venta es de {es(Decimal(random.randint(60, 400) * 1000))} euros, que el vendedor declara haber recibido. Doy fe.",
    ])  # fmt: skip
    made = _wire(truth)
    return page.pdf(), {
        **made,
        "notary": notary.upper(),
        "parties": [{"name": each.name.upper(), "nif": each.nif} for each in (one, other)],
    }


def simple_copy(random: Random) -> Made:
    """With a cover that says most of it, as notaries put before the copies they hand out."""
    truth, one, other, notary = _data(random, first=True, second=False)
    when = truth["date"]
    page = Paper("Helvetica", 10)
    page.text(60, 60, "COPIA SIMPLE", bold=True, size=16)
    page.lines(
        60,
        95,
        [
            f"Notario: D. {notary}",
            f"Protocolo número: {truth['protocol_number']}",
            f"Fecha: {when:%d/%m/%Y}",
            f"Plaza: {truth['place']}",
            "Acto: Acta de manifestaciones",
        ],
        leading=17,
    )
    page.rule(60, 190, 535, 190)
    prose(page, 215, [
        f"En {truth['place']}, a {when.day} de {MONTHS[when.month - 1]} de {when.year}, ante mí, D. {notary}, Notario de {truth['place']},", "", "COMPARECE", "",
        f"D. {other.name}, mayor de edad, con NIF {other.nif}, en nombre y representación de la mercantil {one.name}, con CIF {one.nif} y domicilio en {one.street}.", "",
        "MANIFIESTA que la sociedad ha cumplido lo pactado, y me requiere para que lo haga constar en acta. Doy fe.",
    ])  # fmt: skip
    truth["parties"] = [{"name": other.name, "nif": other.nif}, {"name": one.name, "nif": one.nif}]
    return page.pdf(), _wire(truth)


def power_of_attorney(random: Random) -> Made:
    truth, one, other, notary = _data(random, first=False, second=False)
    when, number = truth["date"], int(truth["protocol_number"])
    page = Paper("Courier", 9.5)
    page.text(50, 50, "PODER GENERAL PARA PLEITOS", bold=True, size=12)
    prose(page, 80, [
        f"NÚMERO: {in_words(number)}.-", "",
        f"En la ciudad de {truth['place']}, a {in_words(when.day).lower()} de {MONTHS[when.month - 1]} del año {in_words(when.year).lower()}.", "",
        f"Ante mí, don {notary}, notario con residencia en esta ciudad,", "", "C O M P A R E C E :", "",
        f"Doña {one.name}, mayor de edad, viuda, jubilada, vecina de {one.town}, {one.street}, provista de D.N.I. número {one.nif}.", "",
        f"Y confiere poder a favor de don {other.name}, procurador, con D.N.I. número {other.nif}, para que la represente ante los tribunales.", "",
        "Así lo otorga. Leída esta escritura, la aprueba y firma. DOY FE.",
    ], width=80)  # fmt: skip
    return page.pdf(), _wire(truth)


def incorporation(random: Random) -> Made:
    truth, one, other, notary = _data(random, first=False, second=True)
    when, number = truth["date"], int(truth["protocol_number"])
    page = Paper("Times-Roman", 12)
    page.text(60, 70, f"Protocolo nº {es(Decimal(number), 0)}", bold=True)
    page.text(60, 100, "ESCRITURA DE CONSTITUCIÓN DE SOCIEDAD LIMITADA", bold=True, size=13)
    prose(page, 135, [
        f"En {truth['place']}, a {in_words(when.day).lower()} de {MONTHS[when.month - 1]} de {in_words(when.year).lower()}.", "",
        f"Ante mí, Doña {notary}, Notaria de {truth['place']}, del Ilustre Colegio Notarial, comparecen:", "",
        f"Por una parte, Don {one.name}, de profesión comerciante, con domicilio en {one.street}, {one.town}, titular del DNI/NIF número {one.nif}.", "",
        f"Por otra, la sociedad {other.name}, domiciliada en {other.street}, {other.town}, con NIF {other.nif}.", "",
        "Los comparecientes constituyen una sociedad de responsabilidad limitada y aprueban los estatutos que se unen. Así lo otorgan; doy fe.",
    ], width=78)  # fmt: skip
    return page.pdf(), _wire(truth)


TUNED = {"sale": sale, "simple_copy": simple_copy}
HELD_OUT = {"power_of_attorney": power_of_attorney, "incorporation": incorporation}
