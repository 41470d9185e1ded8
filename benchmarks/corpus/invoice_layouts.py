"""Layouts of invoices on which rules may be tuned."""

from random import Random
from typing import Any

from corpus.drawing import Paper
from corpus.invented import en, es, grouped, long_date
from corpus.invoice_data import Invoice, invoice, truth

Made = tuple[bytes, dict[str, Any]]


def classic(random: Random) -> Made:
    data = invoice(random)
    page = Paper()
    page.text(40, 50, data.issuer.name, size=14, bold=True)
    page.lines(40, 66, [f"CIF: {data.issuer.nif}", data.issuer.street, data.issuer.address, "Tel. 912 345 678"])
    page.text(400, 50, "FACTURA", size=18, bold=True)
    page.lines(400, 72, [f"Nº factura: {data.number}", f"Fecha: {data.date:%d/%m/%Y}", f"Vencimiento: {data.due:%d/%m/%Y}"], leading=13)
    page.text(40, 140, "CLIENTE", bold=True)
    page.lines(40, 154, [data.recipient.name, f"NIF: {data.recipient.nif}", data.recipient.street, data.recipient.address])
    xs = ((40, "l"), (330, "r"), (400, "r"), (450, "r"), (555, "r"))
    y = 230.0
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, ("Descripción", "Cantidad", "Precio", "IVA", "Importe"), strict=True)], bold=True)
    page.rule(40, y + 4, 555, y + 4)
    for line in data.lines:
        y += 16
        cells = (line.description, _q(line), es(line.price), f"{line.rate}%", es(line.net))
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, cells, strict=True)])
    y += 30
    rows = [("Base imponible", data.base), *((f"IVA {rate}% s/ {es(base)}", tax) for rate, base, tax in data.taxes)]
    for label, value in rows:
        page.row(y, [(400, "l", label), (555, "r", f"{es(value)} €")])
        y += 14
    page.row(y + 4, [(400, "l", "TOTAL FACTURA"), (555, "r", f"{es(data.total)} €")], bold=True, size=11)
    page.text(40, y + 60, f"Forma de pago: transferencia a {grouped(data.iban)}")
    return page.pdf(), truth(data)


def two_columns(random: Random) -> Made:
    data = invoice(random)
    page = Paper(size=9.5)
    page.text(297, 50, "Factura", size=20, bold=True, align="c")
    page.text(50, 90, "Emisor", bold=True)
    page.text(320, 90, "Destinatario", bold=True)
    page.lines(50, 104, [data.issuer.name, data.issuer.nif, data.issuer.street, data.issuer.address], leading=12.5)
    page.lines(320, 104, [data.recipient.name, data.recipient.nif, data.recipient.street, data.recipient.address], leading=12.5)
    heads = ("Número de factura", "Fecha de emisión", "Fecha de vencimiento", "Forma de pago")
    values = (data.number, f"{data.date:%d-%m-%Y}", f"{data.due:%d-%m-%Y}", "Transferencia")
    for x, head, value in zip((50, 180, 310, 450), heads, values, strict=True):
        page.text(x, 180, head, bold=True)
        page.text(x, 194, value)
    xs = ((50, "l"), (390, "r"), (470, "r"), (545, "r"))
    y = 240.0
    page.box(45, y - 11, 550, y + 5, fill=0.85)
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, ("Concepto", "Cant.", "Precio unit.", "Importe"), strict=True)], bold=True)
    for line in data.lines:
        y += 18
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, (line.description, _q(line), es(line.price), es(line.net)), strict=True)])
    y += 40
    page.row(y, [(50, "l", "Tipo IVA"), (170, "r", "Base imponible"), (250, "r", "Cuota")], bold=True)
    for rate, base, tax in data.taxes:
        y += 14
        page.row(y, [(50, "l", f"{rate},00 %"), (170, "r", es(base)), (250, "r", es(tax))])
    page.row(y + 30, [(440, "r", "Total a pagar (EUR)"), (545, "r", es(data.total))], bold=True, size=12)
    return page.pdf(), truth(data, line_rates=False)


def freelancer(random: Random) -> Made:
    data = invoice(random, irpf=True, lines=(1, 3), one_rate=True, units=True)
    page = Paper("Times-Roman", 11)
    page.text(70, 80, data.issuer.name, size=15, bold=True)
    page.lines(70, 98, [f"NIF {data.issuer.nif}", f"{data.issuer.street} - {data.issuer.address}"], leading=14)
    page.text(70, 160, f"FACTURA {data.number}", bold=True, size=13)
    page.text(525, 160, f"{data.issuer.town}, {long_date(data.date)}", align="r")
    page.text(70, 200, "Facturar a:", bold=True)
    page.lines(70, 216, [data.recipient.name, data.recipient.street, data.recipient.address, f"NIF/CIF: {data.recipient.nif}"], leading=14)
    page.row(300, [(70, "l", "Concepto"), (525, "r", "Importe")], bold=True)
    y = 300.0
    for line in data.lines:
        y += 20
        page.row(y, [(70, "l", line.description), (525, "r", f"{es(line.net)} €")])
    y += 40
    for label, value in (("Base imponible", es(data.base)), (f"IVA ({data.taxes[0][0]}%)", es(data.tax)),
                         (f"Retención IRPF ({data.irpf}%)", f"-{es(data.withheld)}"), ("Total", es(data.total))):  # fmt: skip
        page.row(y, [(360, "l", label), (525, "r", f"{value} €")])
        y += 17
    page.text(70, y + 40, f"Número de cuenta: {grouped(data.iban)}")
    return page.pdf(), truth(data, quantities=False)


def resource_planning(random: Random) -> Made:
    data = invoice(random, lines=(3, 12), discounts=True, surcharge=True)
    page = Paper("Courier", 8)
    page.lines(30, 40, [data.issuer.name.upper(), f"{data.issuer.street} {data.issuer.address}", f"C.I.F. {data.issuer.nif}"], leading=10)
    page.lines(330, 60, ["Datos del cliente", data.recipient.name, data.recipient.street, data.recipient.address, f"C.I.F.: {data.recipient.nif}"], leading=10)
    page.row(130, [(30, "l", "FACTURA Nº"), (130, "l", "FECHA"), (220, "l", "CLIENTE Nº"), (320, "l", "PEDIDO")], bold=True)
    page.row(142, [(30, "l", data.number), (130, "l", f"{data.date:%d/%m/%y}"), (220, "l", "430001234"), (320, "l", "P-7781")])
    xs = ((30, "l"), (90, "l"), (340, "r"), (410, "r"), (455, "r"), (500, "r"), (565, "r"))
    heads = ("Ref.", "Artículo", "Unid.", "Precio", "% Dto", "% IVA", "Importe")
    y = 170.0
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, heads, strict=True)], bold=True)
    for line in data.lines:
        y += 11
        cells = (line.reference, line.description, es(line.quantity), es(line.price, 3), es(line.discount) if line.discount else "", f"{line.rate}", es(line.net))
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, cells, strict=True)])
    y = 700.0
    page.row(y, [(100, "r", "Base imponible"), (150, "r", "% IVA"), (220, "r", "Cuota IVA"), (280, "r", "% R.E."), (360, "r", "Recargo equiv."), (565, "r", "TOTAL FACTURA")], bold=True)
    surcharges = data.surcharges or [None] * len(data.taxes)
    for index, ((rate, base, tax), extra) in enumerate(zip(data.taxes, surcharges, strict=True)):
        y += 12
        cells = [(100, "r", es(base)), (150, "r", f"{es(rate)}"), (220, "r", es(tax))]
        cells += [(280, "r", es(extra[0])), (360, "r", es(extra[1]))] if extra else []
        cells += [(565, "r", f"{es(data.total)} €")] if index == 0 else []
        page.row(y, cells)
    made = truth(data)
    made["issuer"] = {"name": data.issuer.name.upper(), "nif": data.issuer.nif}
    return page.pdf(), made


def english(random: Random) -> Made:
    data = invoice(random)
    page = Paper()
    page.text(50, 60, "INVOICE", size=22, bold=True)
    page.lines(350, 50, [data.issuer.name, data.issuer.street, data.issuer.address, f"VAT No. ES{data.issuer.nif}"])
    page.text(50, 120, "Bill to", bold=True)
    page.lines(50, 134, [data.recipient.name, data.recipient.street, data.recipient.address, f"VAT ES{data.recipient.nif}"])
    for index, (label, value) in enumerate((("Invoice number", data.number), ("Invoice date", f"{data.date:%d %B %Y}"), ("Due date", f"{data.due:%d %B %Y}"))):
        page.row(134 + 14 * index, [(350, "l", label), (555, "r", value)])
    xs = ((50, "l"), (350, "r"), (430, "r"), (480, "r"), (555, "r"))
    y = 230.0
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, ("Description", "Qty", "Unit price", "VAT %", "Amount"), strict=True)], bold=True)
    for line in data.lines:
        y += 17
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, (line.description, f"{line.quantity.normalize():f}", en(line.price), f"{line.rate}", en(line.net)), strict=True)])
    y += 35
    for label, value in (("Subtotal", data.base), *((f"VAT {rate}% on {en(base)}", tax) for rate, base, tax in data.taxes), ("Total due", data.total)):
        page.row(y, [(400, "l", label), (555, "r", f"€{en(value)}")])
        y += 15
    return page.pdf(), truth(data)


def footer_issuer(random: Random) -> Made:
    data = invoice(random, one_rate=True)
    page = Paper("Helvetica", 10)
    page.text(50, 60, data.issuer.name.split(" S")[0], size=22, bold=True)
    page.lines(330, 120, [data.recipient.name, data.recipient.street, data.recipient.address, f"CIF {data.recipient.nif}"], leading=13)
    page.row(210, [(50, "l", f"Factura: {data.number}"), (330, "l", f"Fecha factura: {data.date:%d.%m.%Y}")], bold=True)
    xs = ((50, "r"), (70, "l"), (450, "r"), (545, "r"))
    y = 250.0
    page.row(y, [(x, a, t) for (x, a), t in zip(((45, "l"), (90, "l"), (450, "r"), (545, "r")), ("Uds.", "Descripción", "Precio", "Total"), strict=True)], bold=True)
    for line in data.lines:
        y += 18
        page.row(y, [(x, a, t) for (x, a), t in zip(((60, "r"), (90, "l"), (450, "r"), (545, "r")), (_q(line), line.description, f"{es(line.price)} €", f"{es(line.net)} €"), strict=True)])
    y = 640.0
    page.row(y, [(360, "l", "Suma"), (545, "r", f"{es(data.base)} €")])
    page.row(y + 16, [(360, "l", f"{data.taxes[0][0]} % IVA"), (545, "r", f"{es(data.tax)} €")])
    page.row(y + 36, [(360, "l", "Importe total"), (545, "r", f"{es(data.total)} €")], bold=True)
    page.text(297, 800, f"{data.issuer.name} - CIF {data.issuer.nif} - {data.issuer.street} - {data.issuer.address}", size=7, align="c")
    page.text(297, 812, f"Inscrita en el Registro Mercantil de {data.issuer.town}, tomo 1234, folio 56, hoja M-98765", size=7, align="c")
    return page.pdf(), truth(data)


def several_pages(random: Random) -> Made:
    data = invoice(random, lines=(45, 70), one_rate=True)
    page = Paper("Helvetica", 8.5)
    xs = ((40, "l"), (85, "l"), (390, "r"), (470, "r"), (555, "r"))

    def head(number: int) -> float:
        page.text(40, 40, data.issuer.name, bold=True, size=12)
        page.text(40, 53, f"{data.issuer.street} - {data.issuer.address} - NIF: {data.issuer.nif}", size=7)
        page.row(40, [(430, "l", "Factura"), (555, "r", data.number)], bold=True)
        page.row(53, [(430, "l", "Fecha"), (555, "r", f"{data.date:%d/%m/%Y}")])
        page.row(66, [(430, "l", "Página"), (555, "r", f"{number}")])
        page.text(40, 80, f"Cliente: {data.recipient.name}    CIF/NIF: {data.recipient.nif}")
        page.row(110, [(x, a, t) for (x, a), t in zip(xs, ("Código", "Descripción", "Cantidad", "Precio", "Importe"), strict=True)], bold=True)
        return 110

    number, y = 1, head(1)
    for index, line in enumerate(data.lines):
        if index and index % 40 == 0:
            page.row(y + 16, [(470, "r", "Suma y sigue")])
            page.next_page()
            number += 1
            y = head(number)
        y += 15
        page.row(y, [(x, a, t) for (x, a), t in zip(xs, (line.reference, line.description, _q(line), es(line.price), es(line.net)), strict=True)])
    for label, value in (("Base imponible", data.base), (f"IVA {data.taxes[0][0]},00%", data.tax), ("Total factura", data.total)):
        y += 17
        page.row(y, [(400, "l", label), (555, "r", f"{es(value)} €")], bold=label == "Total factura")
    return page.pdf(), truth(data)


def catalan(random: Random) -> Made:
    data = invoice(random, lines=(1, 5), one_rate=True)
    page = Paper("Times-Roman", 10)
    page.text(60, 60, data.issuer.name, bold=True, size=14)
    page.lines(60, 76, [data.issuer.street, data.issuer.address, f"NIF: {data.issuer.nif}"], leading=13)
    page.lines(380, 60, [f"Factura núm.: {data.number}", f"Data: {data.date:%d/%m/%Y}", f"Venciment: {data.due:%d/%m/%Y}"], leading=13)
    page.text(60, 140, "Dades del client", bold=True)
    page.lines(60, 155, [data.recipient.name, data.recipient.street, data.recipient.address, f"NIF: {data.recipient.nif}"], leading=13)
    xs = ((60, "l"), (350, "r"), (440, "r"), (540, "r"))
    y = 240.0
    page.row(y, [(x, a, t) for (x, a), t in zip(xs, ("Concepte", "Quantitat", "Preu unitari", "Import"), strict=True)], bold=True)
    for line in data.lines:
        # A long description goes on below, without numbers of its own.
        first, _, rest = line.description.partition(" ")
        page.row(y + 18, [(x, a, t) for (x, a), t in zip(xs, (first, _q(line), es(line.price), es(line.net)), strict=True)])
        page.text(60, y + 29, rest)
        y += 36
    for label, value in (("Base imposable", data.base), (f"IVA {data.taxes[0][0]}%", data.tax), ("Total a pagar", data.total)):
        y += 17
        page.row(y, [(380, "l", label), (540, "r", f"{es(value)} €")])
    return page.pdf(), truth(data)


def _q(line: Any) -> str:
    return es(line.quantity, 0) if line.quantity == int(line.quantity) else es(line.quantity, 1)


TUNED = {"classic": classic, "two_columns": two_columns, "freelancer": freelancer, "resource_planning": resource_planning,
         "english": english, "footer_issuer": footer_issuer, "several_pages": several_pages, "catalan": catalan}  # fmt: skip
