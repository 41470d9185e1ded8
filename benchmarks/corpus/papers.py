"""Payslips, bank statements and contracts."""

import calendar
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import MONTHS, cents, day, es, grouped, iban, long_date, party

Made = tuple[bytes, dict[str, Any]]


def _pay(random: Random) -> dict[str, Any]:
    earned = [("Salario base", Decimal(random.randint(110000, 280000)) / 100), ("Plus convenio", Decimal(random.randint(5000, 30000)) / 100),
              ("Prorrata pagas extra", Decimal(random.randint(10000, 40000)) / 100)]  # fmt: skip
    gross = sum((amount for _, amount in earned), Decimal(0))
    rates = (("Contingencias comunes", Decimal("4.70")), ("Desempleo", Decimal("1.55")), ("Formación profesional", Decimal("0.10")),
             ("Retención I.R.P.F.", Decimal(random.choice(("8.50", "12.00", "15.32")))))  # fmt: skip
    taken = [(name, rate, cents(gross * rate / 100)) for name, rate in rates]
    deductions = sum((amount for _, _, amount in taken), Decimal(0))
    when = day(random)
    last = calendar.monthrange(when.year, when.month)[1]
    employer, employee = party(random, company=True), party(random, company=False)
    return {
        "earned": earned, "taken": taken, "employer": employer, "employee": employee,
        "start": date(when.year, when.month, 1), "end": date(when.year, when.month, last),
        "truth": {
            "employee": {"name": employee.name, "nif": employee.nif}, "employer": {"name": employer.name, "nif": employer.nif},
            "period": {"start": f"{when:%Y-%m}-01", "end": f"{when:%Y-%m}-{last}"},
            "gross": gross, "deductions": deductions, "net": gross - deductions,
        },
    }  # fmt: skip


def official_payslip(random: Random) -> Made:
    pay = _pay(random)
    page = Paper("Helvetica", 9)
    page.text(297, 40, "RECIBO INDIVIDUAL JUSTIFICATIVO DEL PAGO DE SALARIOS", bold=True, size=11, align="c")
    page.lines(40, 70, [f"Empresa: {pay['employer'].name}", f"Domicilio: {pay['employer'].street}", f"CIF: {pay['employer'].nif}", "CCC: 28/1234567/89"], leading=13)
    page.lines(310, 70, [f"Trabajador: {pay['employee'].name}", f"NIF: {pay['employee'].nif}", "Núm. afil. S.S.: 281234567840", "Categoría: Oficial 1ª"], leading=13)
    start, end = pay["start"], pay["end"]
    page.text(40, 140, f"Período de liquidación: del {start:%d/%m/%Y} al {end:%d/%m/%Y}")
    page.text(480, 140, "Total días: 30")
    y = 170.0
    page.text(40, y, "I. DEVENGOS", bold=True)
    for name, amount in pay["earned"]:
        y += 14
        page.row(y, [(60, "l", name), (540, "r", es(amount))])
    y += 18
    page.row(y, [(300, "l", "A. TOTAL DEVENGADO"), (540, "r", es(pay["truth"]["gross"]))], bold=True)
    y += 24
    page.text(40, y, "II. DEDUCCIONES", bold=True)
    for name, rate, amount in pay["taken"]:
        y += 14
        page.row(y, [(60, "l", name), (380, "r", f"{es(rate)} %"), (540, "r", es(amount))])
    y += 18
    page.row(y, [(300, "l", "B. TOTAL A DEDUCIR"), (540, "r", es(pay["truth"]["deductions"]))], bold=True)
    y += 20
    page.row(y, [(300, "l", "LÍQUIDO TOTAL A PERCIBIR (A-B)"), (540, "r", f"{es(pay['truth']['net'])} €")], bold=True)
    return page.pdf(), pay["truth"]


def grid_payslip(random: Random) -> Made:
    pay = _pay(random)
    page = Paper("Courier", 8)
    page.row(40, [(30, "l", "EMPRESA"), (300, "l", "TRABAJADOR")], bold=True)
    page.row(52, [(30, "l", pay["employer"].name), (300, "l", pay["employee"].name)])
    page.row(64, [(30, "l", f"C.I.F. {pay['employer'].nif}"), (300, "l", f"D.N.I. {pay['employee'].nif}")])
    page.text(30, 90, f"NOMINA MENSUAL  {MONTHS[pay['start'].month - 1].upper()} {pay['start'].year}", bold=True)
    y = 120.0
    page.row(y, [(30, "l", "CONCEPTO"), (400, "r", "DEVENGOS"), (520, "r", "DEDUCCIONES")], bold=True)
    for name, amount in pay["earned"]:
        y += 12
        page.row(y, [(30, "l", name), (400, "r", es(amount))])
    for name, rate, amount in pay["taken"]:
        y += 12
        page.row(y, [(30, "l", f"{name} {es(rate)}%"), (520, "r", es(amount))])
    y += 30
    page.row(y, [(250, "r", "TOTAL DEVENGADO"), (400, "r", "TOTAL DEDUCCIONES"), (540, "r", "NETO A PERCIBIR")], bold=True)
    page.row(y + 12, [(250, "r", es(pay["truth"]["gross"])), (400, "r", es(pay["truth"]["deductions"])), (540, "r", es(pay["truth"]["net"]))])
    return page.pdf(), pay["truth"]


def _account(random: Random) -> dict[str, Any]:
    start = day(random).replace(day=1)
    end = start.replace(day=calendar.monthrange(start.year, start.month)[1])
    balance = opening = Decimal(random.randint(20000, 900000)) / 100
    movements = []
    when = start
    for _ in range(random.randint(5, 16)):
        when = min(when + timedelta(days=random.randint(0, 3)), end)
        name, sign = random.choice((("RECIBO LUZ", -1), ("TRANSFERENCIA A FAVOR", 1), ("COMPRA TARJETA", -1), ("ADEUDO SEGUROS", -1), ("NOMINA", -1), ("ABONO FACTURA 2031", 1)))
        amount = sign * Decimal(random.randint(500, 250000)) / 100
        balance += amount
        movements.append({"date": when.isoformat(), "description": name, "amount": amount, "balance": balance})
    return {"iban": iban(random), "period": {"start": start.isoformat(), "end": end.isoformat()}, "opening_balance": opening,
            "closing_balance": balance, "movements": movements}  # fmt: skip


def signed_statement(random: Random) -> Made:
    truth = _account(random)
    page = Paper("Helvetica", 8.5)
    page.text(40, 45, "Banco Imaginario", bold=True, size=14)
    page.text(40, 70, "EXTRACTO DE CUENTA CORRIENTE", bold=True)
    page.text(40, 86, f"IBAN: {grouped(truth['iban'])}")
    start, end = (date.fromisoformat(truth["period"][name]) for name in ("start", "end"))
    page.text(40, 100, f"Período: {start:%d/%m/%Y} - {end:%d/%m/%Y}")
    page.row(122, [(40, "l", "Fecha"), (100, "l", "F. valor"), (165, "l", "Concepto"), (450, "r", "Importe"), (550, "r", "Saldo")], bold=True)
    page.row(136, [(165, "l", "Saldo anterior"), (550, "r", es(truth["opening_balance"]))])
    y = 136.0
    for one in truth["movements"]:
        y += 13
        when = date.fromisoformat(one["date"])
        page.row(y, [(40, "l", f"{when:%d/%m/%Y}"), (100, "l", f"{when:%d/%m/%Y}"), (165, "l", one["description"]), (450, "r", es(one["amount"])), (550, "r", es(one["balance"]))])
    page.row(y + 18, [(165, "l", "Saldo final"), (550, "r", es(truth["closing_balance"]))], bold=True)
    return page.pdf(), truth


def debit_credit_statement(random: Random) -> Made:
    truth = _account(random)
    page = Paper("Courier", 8)
    start, end = (date.fromisoformat(truth["period"][name]) for name in ("start", "end"))
    page.lines(35, 40, ["CAJA DE AHORROS INVENTADA", f"EXTRACTO DE MOVIMIENTOS DESDE {start:%d-%m-%Y} HASTA {end:%d-%m-%Y}", f"CUENTA {truth['iban']}"], leading=12)
    page.row(90, [(35, "l", "FECHA"), (100, "l", "DESCRIPCION"), (370, "r", "DEBE"), (450, "r", "HABER"), (550, "r", "SALDO")], bold=True)
    page.row(102, [(100, "l", "SALDO INICIAL"), (550, "r", es(truth["opening_balance"]))])
    y = 102.0
    for one in truth["movements"]:
        y += 11
        when = date.fromisoformat(one["date"])
        x = 370 if one["amount"] < 0 else 450
        page.row(y, [(35, "l", f"{when:%d-%m-%y}"), (100, "l", one["description"]), (x, "r", es(abs(one["amount"]))), (550, "r", es(one["balance"]))])
    page.row(y + 16, [(100, "l", "SALDO FINAL"), (550, "r", es(truth["closing_balance"]))], bold=True)
    return page.pdf(), truth


def service_contract(random: Random) -> Made:
    one, other, manager = party(random, company=True), party(random, company=False), party(random, company=False)
    when, months, price = day(random), random.choice((6, 12, 24)), Decimal(random.randint(3, 60) * 100)
    words = {6: "seis", 12: "doce", 24: "veinticuatro"}[months]
    page = Paper("Times-Roman", 11)
    page.text(297, 70, "CONTRATO DE PRESTACIÓN DE SERVICIOS", bold=True, size=14, align="c")
    prose(page, 100, [
        f"En {one.town}, a {long_date(when)}.", "", "REUNIDOS", "",
        f"De una parte, D. {manager.name}, con NIF {manager.nif}, en nombre y representación de {one.name}, con CIF {one.nif} y domicilio en {one.street}, {one.address}, en adelante el CLIENTE.", "",
        f"Y de otra parte, D. {other.name}, mayor de edad, con NIF {other.nif} y domicilio en {other.street}, {other.address}, en adelante el PRESTADOR.", "",
        "Ambas partes se reconocen capacidad legal suficiente y", "", "MANIFIESTAN", "", "Que están interesadas en suscribir el presente contrato con arreglo a las siguientes", "", "CLÁUSULAS", "",
        "PRIMERA. Objeto. El prestador realizará los servicios de asesoramiento que el cliente le encargue.", "",
        f"SEGUNDA. Duración. El contrato tendrá una duración de {words} ({months}) meses desde su firma.", "",
        f"TERCERA. Precio. El cliente abonará al prestador unos honorarios de {es(price)} euros mensuales, más el IVA que corresponda.", "",
        "Y en prueba de conformidad, ambas partes firman el presente contrato por duplicado.",
    ])  # fmt: skip
    return page.pdf(), {"parties": [{"name": one.name, "nif": one.nif}, {"name": other.name, "nif": other.nif}], "date": when.isoformat(),
                        "duration": f"P{months}M", "amount": price, "signature_place": one.town}  # fmt: skip


def lease(random: Random) -> Made:
    one, other = party(random, company=False), party(random, company=False)
    when, years, price = day(random), random.choice((1, 3, 5)), Decimal(random.randint(400, 1900))
    page = Paper("Helvetica", 10)
    page.text(60, 60, "CONTRATO DE ARRENDAMIENTO DE VIVIENDA", bold=True, size=13)
    prose(page, 90, [
        f"En {one.town}, a {when:%d/%m/%Y}", "", "REUNIDOS", "", f"De una parte, como ARRENDADOR, Dña. {one.name}, con DNI {one.nif}.", "",
        f"De otra parte, como ARRENDATARIO, Don {other.name}, con DNI {other.nif}.", "", "EXPONEN", "", f"Que la primera es propietaria de la vivienda sita en {one.street}, de {one.town}.", "",
        "ESTIPULACIONES", "", f"1ª. El plazo del arrendamiento será de {years} {'año' if years == 1 else 'años'}, prorrogable por las partes.", "",
        f"2ª. La renta se fija en {es(price)} € al mes, pagaderos en los siete primeros días.", "", "3ª. El arrendatario entrega en este acto una mensualidad en concepto de fianza.",
    ])  # fmt: skip
    return page.pdf(), {"parties": [{"name": one.name, "nif": one.nif}, {"name": other.name, "nif": other.nif}], "date": when.isoformat(),
                        "duration": f"P{years}Y", "amount": price, "signature_place": one.town}  # fmt: skip


def prose(page: Paper, y: float, paragraphs: list[str], width: int = 92) -> None:
    for paragraph in paragraphs:
        line = ""
        for word in paragraph.split():
            if len(line) + len(word) > width:
                page.text(60, y, line)
                y, line = y + 15, ""
            line = f"{line} {word}".strip()
        page.text(60, y, line)
        y += 15


PAYSLIPS = {"official_payslip": official_payslip}
PAYSLIPS_HELD_OUT = {"grid_payslip": grid_payslip}
STATEMENTS = {"signed_statement": signed_statement}
STATEMENTS_HELD_OUT = {"debit_credit_statement": debit_credit_statement}
CONTRACTS = {"service_contract": service_contract}
CONTRACTS_HELD_OUT = {"lease": lease}
