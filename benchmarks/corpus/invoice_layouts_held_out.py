"""Layouts of invoices that nobody looks at while tuning: they say how it goes with invoices nobody has seen."""

from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import es, grouped, long_date
from corpus.invoice_data import invoice, truth

Made = tuple[bytes, dict[str, Any]]


def utility(random: Random) -> Made:
    data = invoice(random, lines=(2, 5), one_rate=True)
    page = Paper("Helvetica", 9)
    page.text(40, 45, data.issuer.name, bold=True, size=16)
    page.text(40, 60, f"{data.issuer.street}. {data.issuer.address}. CIF {data.issuer.nif}", size=7)
    page.box(330, 75, 560, 165)
    page.text(340, 90, "RESUMEN DE SU FACTURA", bold=True)
    page.row(106, [(340, "l", "Referencia factura"), (550, "r", data.number)])
    page.row(120, [(340, "l", "Fecha de factura"), (550, "r", long_date(data.date))])
    page.row(134, [(340, "l", "Fecha de cargo"), (550, "r", long_date(data.due))])
    page.row(152, [(340, "l", "IMPORTE TOTAL"), (550, "r", f"{es(data.total)} €")], bold=True, size=12)
    page.text(40, 90, "Titular del contrato", bold=True)
    page.lines(40, 104, [data.recipient.name, f"NIF {data.recipient.nif}", data.recipient.street, data.recipient.address])
    y = 220.0
    page.row(y, [(40, "l", "Detalle"), (360, "r", "Cantidad"), (450, "r", "Precio"), (550, "r", "Importe")], bold=True)
    for line in data.lines:
        y += 15
        quantity = es(line.quantity, 0 if line.quantity == int(line.quantity) else 2)
        page.row(y, [(40, "l", line.description), (360, "r", quantity), (450, "r", f"{es(line.price)} €"), (550, "r", f"{es(line.net)} €")])
    y += 30
    page.row(y, [(40, "l", "Total sin IVA"), (550, "r", f"{es(data.base)} €")])
    page.row(y + 14, [(40, "l", f"IVA {data.taxes[0][0]} % sobre {es(data.base)} €"), (550, "r", f"{es(data.tax)} €")])
    page.row(y + 32, [(40, "l", "Total importe factura"), (550, "r", f"{es(data.total)} €")], bold=True)
    return page.pdf(), truth(data)


def wholesaler(random: Random) -> Made:
    data = invoice(random, lines=(4, 14), discounts=True)
    page = Paper("Times-Roman", 9)
    page.text(560, 45, data.issuer.name, bold=True, size=13, align="r")
    page.lines(560, 58, [data.issuer.street, data.issuer.address, f"N.I.F.: {data.issuer.nif}"], align="r", leading=11)
    page.lines(35, 100, [f"Razón social: {data.recipient.name}", f"Domicilio: {data.recipient.street}", f"Población: {data.recipient.address}", f"C.I.F./N.I.F.: {data.recipient.nif}"])
    page.row(165, [(35, "l", f"Documento: Factura de venta"), (220, "l", f"Número: {data.number}"), (400, "l", f"Fecha expedición: {data.date:%d/%m/%Y}")], bold=True)
    y = 195.0
    heads = ("Código", "Denominación", "Uds.", "P.V.P.", "Dto.%", "Total")
    xs = ((35, "l"), (95, "l"), (360, "r"), (425, "r"), (475, "r"), (560, "r"))
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, heads, strict=True)], bold=True)
    for line in data.lines:
        y += 13
        quantity = es(line.quantity, 0 if line.quantity == int(line.quantity) else 2)
        cells = (line.reference, line.description, quantity, es(line.price), es(line.discount, 0), es(line.net))
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, cells, strict=True)])
    y += 40
    page.row(y, [(35, "l", "Bases"), (150, "l", "IVA"), (230, "l", "Impuesto")], bold=True)
    for rate, base, tax in data.taxes:
        y += 13
        page.row(y, [(35, "l", es(base)), (150, "l", f"{rate} %"), (230, "l", es(tax))])
    page.text(560, y, f"TOTAL EUROS: {es(data.total)}", bold=True, size=12, align="r")
    return page.pdf(), truth(data, line_rates=False)


def lawyer(random: Random) -> Made:
    data = invoice(random, irpf=True, lines=(1, 2), one_rate=True, units=True)
    page = Paper("Times-Roman", 11)
    page.text(297, 70, "MINUTA DE HONORARIOS", bold=True, size=14, align="c")
    page.row(110, [(80, "l", "Factura núm."), (180, "l", data.number)])
    page.row(126, [(80, "l", "Fecha"), (180, "l", f"{data.date:%d-%m-%Y}")])
    page.text(80, 165, "Cliente:", bold=True)
    page.text(140, 165, data.recipient.name)
    page.lines(140, 180, [data.recipient.street, data.recipient.address, f"N.I.F. {data.recipient.nif}"], leading=14)
    y = 260.0
    for line in data.lines:
        page.row(y, [(80, "l", line.description), (520, "r", es(line.net))])
        y += 18
    y += 20
    for label, value in (("Honorarios", es(data.base)), (f"{data.taxes[0][0]}% I.V.A.", es(data.tax)), (f"{data.irpf}% I.R.P.F.", f"-{es(data.withheld)}"), ("LÍQUIDO A PERCIBIR", f"{es(data.total)} euros")):
        page.row(y, [(300, "l", label), (520, "r", value)])
        y += 18
    page.lines(80, 700, [data.issuer.name, f"Abogado - N.I.F. {data.issuer.nif}", f"{data.issuer.street}, {data.issuer.address}", grouped(data.iban)], leading=14)
    made = truth(data, quantities=False)
    return page.pdf(), made


def software(random: Random) -> Made:
    data = invoice(random, lines=(1, 4), one_rate=True)
    page = Paper("Helvetica", 9)
    page.text(50, 60, "Factura", size=26)
    page.lines(50, 90, ["Número", "Emitida", "Vence"], leading=14)
    page.lines(130, 90, [data.number, long_date(data.date), long_date(data.due)], leading=14, bold=True)
    page.text(50, 160, "De", bold=True)
    page.lines(50, 174, [data.issuer.name, data.issuer.street, data.issuer.address, data.issuer.nif])
    page.text(300, 160, "Para", bold=True)
    page.lines(300, 174, [data.recipient.name, data.recipient.street, data.recipient.address, data.recipient.nif])
    y = 260.0
    page.row(y, [(50, "l", "Producto"), (350, "r", "Cantidad"), (450, "r", "Precio unitario"), (545, "r", "Subtotal")], bold=True)
    for line in data.lines:
        y += 22
        quantity = es(line.quantity, 0 if line.quantity == int(line.quantity) else 2)
        page.row(y, [(50, "l", line.description), (350, "r", quantity), (450, "r", f"{es(line.price)} €"), (545, "r", f"{es(line.net)} €")])
    y += 40
    for label, value in (("Subtotal", data.base), (f"IVA ({data.taxes[0][0]} %)", data.tax), ("Total", data.total)):
        page.row(y, [(450, "r", label), (545, "r", f"{es(value)} €")], bold=label == "Total")
        y += 16
    return page.pdf(), truth(data)


HELD_OUT = {"utility": utility, "wholesaler": wholesaler, "lawyer": lawyer, "software": software}
