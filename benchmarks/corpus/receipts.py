"""Receipts of tills: narrow, taxes included."""

from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import cents, day, es, party

Made = tuple[bytes, dict[str, Any]]
FOOD = ("CAFE CON LECHE", "PAN INTEGRAL", "AGUA MINERAL 1L", "TOMATE RAMA KG", "LECHE ENTERA", "MENU DEL DIA", "CERVEZA", "TORTILLA",
        "QUESO CURADO", "DETERGENTE 3L", "PILAS AA", "BOMBILLA LED", "CUADERNO A5", "GASOLEO A", "ZUMO NARANJA", "CROISSANT")  # fmt: skip


def _data(random: Random) -> tuple[Any, date, str, list[tuple[str, int, Decimal]], Decimal, Decimal]:
    shop, when = party(random, company=True), day(random)
    time = f"{random.randint(8, 21):02}:{random.randint(0, 59):02}"
    items = [(name, random.randint(1, 3), Decimal(random.randint(80, 2400)) / 100) for name in random.sample(FOOD, random.randint(2, 7))]
    rate = Decimal(random.choice((10, 10, 21)))
    return shop, when, time, items, rate, sum((quantity * price for _, quantity, price in items), Decimal(0))


def _truth(shop: Any, when: date, time: str, total: Decimal, name: str | None = None) -> dict[str, Any]:
    return {"date": when.isoformat(), "time": time, "total": total, "currency": "EUR", "issuer": {"name": name or shop.name, "nif": shop.nif}}


def supermarket(random: Random) -> Made:
    shop, when, time, items, rate, total = _data(random)
    page = Paper("Courier", 8, (226, 330 + 12 * len(items)))
    y = page.lines(113, 25, [shop.name.upper(), shop.street, shop.address, f"NIF {shop.nif}"], leading=11, align="c")
    y = page.lines(15, y + 8, ["FACTURA SIMPLIFICADA", f"Num: T{random.randint(1000, 9999)}-{random.randint(1, 99999):05}", f"{when:%d/%m/%Y} {time}  CAJA 3"], leading=11)
    for name, quantity, price in items:
        page.row(y + 6, [(15, "l", f"{quantity} {name}"), (211, "r", es(quantity * price))])
        y += 12
    page.row(y + 14, [(15, "l", "TOTAL EUR"), (211, "r", es(total))], bold=True, size=10)
    base = cents(total / (1 + rate / 100))
    page.row(y + 34, [(15, "l", "IVA"), (90, "r", "BASE"), (150, "r", "CUOTA")])
    page.row(y + 45, [(15, "l", f"{rate}%"), (90, "r", es(base)), (150, "r", es(total - base))])
    page.row(y + 62, [(15, "l", "TARJETA"), (211, "r", es(total))])
    page.text(113, y + 85, "GRACIAS POR SU VISITA", align="c")
    return page.pdf(), _truth(shop, when, time, total, shop.name.upper())


def bar(random: Random) -> Made:
    shop, when, time, items, rate, total = _data(random)
    page = Paper("Helvetica", 8, (240, 330 + 12 * len(items)))
    y = page.lines(120, 25, [shop.name, f"C.I.F.: {shop.nif}", f"{shop.street} - {shop.town}"], leading=11, align="c")
    page.row(y + 8, [(15, "l", f"Ticket: {random.randint(1, 9999):06}"), (225, "r", "Mesa 4")])
    page.row(y + 20, [(15, "l", f"Fecha: {when:%d-%m-%y}"), (225, "r", f"Hora: {time}")])
    y += 40
    page.row(y, [(15, "l", "Ud"), (40, "l", "Producto"), (170, "r", "Precio"), (225, "r", "Importe")], bold=True)
    for name, quantity, price in items:
        y += 12
        page.row(y, [(15, "l", f"{quantity}"), (40, "l", name.capitalize()), (170, "r", es(price)), (225, "r", es(quantity * price))])
    page.row(y + 20, [(15, "l", "Total a pagar"), (225, "r", f"{es(total)} €")], bold=True, size=11)
    page.text(15, y + 34, f"IVA {rate}% incluido")
    paid = Decimal(int(total / 10 + 1) * 10)
    page.row(y + 50, [(15, "l", "Entregado efectivo"), (225, "r", es(paid))])
    page.row(y + 62, [(15, "l", "Cambio"), (225, "r", es(paid - total))])
    return page.pdf(), _truth(shop, when, time, total)


def fuel(random: Random) -> Made:
    shop, when, time, items, rate, total = _data(random)
    page = Paper("Courier", 8, (215, 300 + 22 * len(items)))
    y = page.lines(12, 25, [shop.name, shop.address, f"CIF:{shop.nif}", "", f"FECHA {when:%d/%m/%Y}   HORA {time}", f"RECIBO {random.randint(1, 999999):06}"], leading=11)
    for name, quantity, price in items:
        page.text(12, y + 6, name)
        page.row(y + 16, [(25, "l", f"{quantity},00 x {es(price)}"), (203, "r", es(quantity * price))])
        y += 22
    base = cents(total / (1 + rate / 100))
    page.row(y + 12, [(12, "l", "BASE IMPONIBLE"), (203, "r", es(base))])
    page.row(y + 23, [(12, "l", f"I.V.A. {rate},00%"), (203, "r", es(total - base))])
    page.row(y + 38, [(12, "l", "TOTAL"), (203, "r", f"{es(total)} EUR")], bold=True)
    page.text(12, y + 60, "PAGO CON VISA ****1234")
    return page.pdf(), _truth(shop, when, time, total)


TUNED = {"supermarket": supermarket, "bar": bar}
HELD_OUT = {"fuel": fuel}
