"""People, companies, goods and numbers that do not exist, with check digits that hold."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random

from stdnum.es import ccc, cif, dni
from stdnum.iso7064 import mod_97_10

STREETS = ("Calle Mayor", "Avda. de la Constitución", "C/ San Vicente", "Paseo de Gracia", "Plaza de España", "Calle del Pez",
           "Ronda de Levante", "Camino Viejo", "Calle Alcalá", "C/ Colón", "Polígono Industrial Sur, nave")  # fmt: skip
TOWNS = (("28013", "Madrid"), ("08007", "Barcelona"), ("46002", "Valencia"), ("41001", "Sevilla"), ("50003", "Zaragoza"),
         ("29005", "Málaga"), ("48001", "Bilbao"), ("15003", "A Coruña"), ("30001", "Murcia"), ("33003", "Oviedo"))  # fmt: skip
FIRST = ("María", "José", "Lucía", "Antonio", "Carmen", "Javier", "Núria", "Íñigo", "Begoña", "Álvaro", "Montserrat", "Raúl")
LAST = ("García", "Fernández", "López", "Martínez", "Núñez", "Muñoz", "Ibáñez", "Peña", "Vázquez", "Ortega", "Soler", "Etxeberria")
TRADES = ("Talleres", "Suministros", "Panadería", "Construcciones", "Asesoría", "Electricidad", "Transportes", "Instalaciones",
          "Gráficas", "Distribuciones", "Informática", "Bodegas", "Clínica Dental", "Reformas", "Carpintería", "Jardines")  # fmt: skip
WORDS = ("del Norte", "Levantina", "Castilla", "Cantábrico", "Sol", "Hermanos Gil", "Río Tajo", "Sierra Nevada", "Mediterráneo",
         "La Muralla", "Punto Azul", "Nova", "Ibérica", "El Roble", "Atlántica", "San Jorge")  # fmt: skip
GOODS = ("Servicio de consultoría", "Mantenimiento informático", "Tornillo M8 inox", "Diseño de página web", "Horas de programación",
         "Papel A4 80 g", "Tóner negro HP 26X", "Cuota mensual de gestión", "Instalación eléctrica", "Cable UTP cat. 6",
         "Pintura plástica blanca", "Transporte a obra", "Revisión anual de caldera", "Aceite de oliva virgen extra 5 l",
         "Vino tinto crianza 2021", "Harina de trigo 25 kg", "Formación en seguridad", "Licencia anual de software",
         "Reparación de persiana", "Silla de oficina ergonómica", "Alquiler de sala", "Traducción jurada", "Poda de setos")  # fmt: skip
MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre")


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def es(value: Decimal, places: int = 2) -> str:
    """1.234,56"""
    return f"{value:,.{places}f}".replace(",", "·").replace(".", ",").replace("·", ".")


def en(value: Decimal, places: int = 2) -> str:
    return f"{value:,.{places}f}"


def long_date(day: date) -> str:
    return f"{day.day} de {MONTHS[day.month - 1]} de {day.year}"


@dataclass(frozen=True)
class Party:
    name: str
    nif: str
    street: str
    postcode: str
    town: str
    company: bool

    @property
    def address(self) -> str:
        return f"{self.postcode} {self.town}"


def party(random: Random, company: bool | None = None) -> Party:
    company = random.random() < 0.75 if company is None else company
    postcode, town = random.choice(TOWNS)
    street = f"{random.choice(STREETS)}, {random.randint(1, 180)}"
    if not company:
        number = f"{random.randint(10_000_000, 79_999_999)}"
        name = f"{random.choice(FIRST)} {random.choice(LAST)} {random.choice(LAST)}"
        return Party(name, number + dni.calc_check_digit(number), street, postcode, town, company=False)
    form, letter = random.choice((("S.L.", "B"), ("S.L.", "B"), ("SL", "B"), ("S.L.U.", "B"), ("S.A.", "A")))
    number = f"{letter}{random.randint(1_000_000, 9_999_999)}"
    digit = cif.calc_check_digits(number)[0]
    return Party(f"{random.choice(TRADES)} {random.choice(WORDS)} {form}", number + digit, street, postcode, town, company=True)


def iban(random: Random) -> str:
    bank, number = f"{random.randint(0, 99999999):08}", f"{random.randint(0, 9999999999):010}"
    account = bank + ccc.calc_check_digits(f"{bank}00{number}") + number
    check = mod_97_10.calc_check_digits(account + "ES")
    return f"ES{check}{account}"


def grouped(number: str) -> str:
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def day(random: Random) -> date:
    return date(2025, 1, 1) + timedelta(days=random.randint(0, 640))


def invoice_number(random: Random, when: date) -> str:
    n = random.randint(1, 9999)
    return random.choice((f"FAC-{when.year}-{n:03}", f"{when.year}/{n:04}", f"F{when:%y}-{n:05}", f"A/{n:06}", f"{when.year}{n:05}",
                          f"VT-{n:06}", f"{when:%y}{n:04}", f"FV{when:%y}/{n:05}"))  # fmt: skip
