"""Invoices from their words: what labels, check digits and arithmetic make sure, and what they leave open."""

from decimal import Decimal

import pytest

from bivelio_server.documents.fields import Extraction, extract
from tests.documents.fields.paper import paper, plain_text

INVOICE = """
Proveedor Sol S.L.                              FACTURA
CIF: B12345674                                  Nº factura: FAC-2026-001
Calle Mayor, 3                                  Fecha: 01/04/2026
28013 Madrid                                    Vencimiento: 01/05/2026

CLIENTE
Empresa Nova S.A.
NIF: A58818501
Calle Alta, 7

Descripción                          Cantidad     Precio    IVA      Importe
Servicio de consultoría - Marzo 2026        1   1.000,00    21%     1.000,00
Papel A4                                   10       4,50    21%        45,00

                                             Base imponible       1.045,00 €
                                             IVA 21%                219,45 €
                                             TOTAL FACTURA        1.264,45 €
"""


def confidence(extraction: Extraction, path: str) -> float:
    return next(field.confidence for field in extraction.fields if field.path == path)


def test_an_invoice_as_the_reference_prints_it() -> None:
    extraction = extract(paper(INVOICE), "invoice")

    assert extraction.extracted | {"due_date": None, "iban": None, "surcharge": None} == {
        "invoice_number": "FAC-2026-001",
        "date": "2026-04-01",
        "due_date": None,
        "total": Decimal("1264.45"),
        "currency": "EUR",
        "subtotal": Decimal("1045.00"),
        "taxes": [{"rate": 21, "base": Decimal("1045.00"), "amount": Decimal("219.45")}],
        "withholding": None,
        "surcharge": None,
        "issuer": {"name": "Proveedor Sol S.L.", "nif": "B12345674"},
        "recipient": {"name": "Empresa Nova S.A.", "nif": "A58818501"},
        "iban": None,
        "line_items": [
            {"description": "Servicio de consultoría - Marzo 2026", "quantity": 1,
             "unit_price": Decimal("1000.00"), "tax_rate": 21, "total": Decimal("1210.00")},
            {"description": "Papel A4", "quantity": 10,
             "unit_price": Decimal("4.50"), "tax_rate": 21, "total": Decimal("54.45")},
        ],
    }  # fmt: skip
    assert extraction.extracted["due_date"] == "2026-05-01"
    assert extraction.confidence > 0.9


def test_every_field_points_to_its_place() -> None:
    extraction = extract(paper(INVOICE), "invoice")

    total = next(field for field in extraction.fields if field.path == "total")
    assert total.page == 1
    assert total.box is not None
    assert total.box.y0 == 16 * 14


def test_a_text_without_places_is_read_and_points_nowhere() -> None:
    extraction = extract(plain_text(INVOICE), "invoice")

    assert extraction.extracted["total"] == Decimal("1264.45")
    assert {(field.page, field.box) for field in extraction.fields} == {(None, None)}


def test_sums_that_do_not_hold_are_not_sure() -> None:
    extraction = extract(paper(INVOICE.replace("1.264,45", "1.364,45")), "invoice")

    assert extraction.extracted["total"] == Decimal("1364.45")
    assert confidence(extraction, "total") < 0.9


def test_a_tax_id_whose_check_digit_fails_is_not_sure() -> None:
    extraction = extract(paper(INVOICE.replace("B12345674", "B12345678")), "invoice")

    assert extraction.extracted["issuer"]["nif"] == "B12345678"
    assert confidence(extraction, "issuer.nif") < 0.9


def test_what_ocr_read_is_sure_only_where_a_check_would_have_noticed() -> None:
    extraction = extract(paper(INVOICE, source="ocr", confidence=0.99), "invoice")

    assert extraction.source == "ocr"
    assert confidence(extraction, "total") > 0.9
    assert confidence(extraction, "issuer.nif") > 0.9
    assert confidence(extraction, "invoice_number") < 0.9
    assert confidence(extraction, "date") < 0.9


def test_retention_and_surcharge_are_part_of_the_sum() -> None:
    extraction = extract(
        paper("""
FACTURA Nº 2026/12                       Fecha: 3 de abril de 2026
Concepto                                            Importe
Asesoría fiscal                                    1.000,00
Base imponible                                     1.000,00
IVA 21%                                              210,00
Retención IRPF 15%                                  -150,00
Total a pagar                                      1.060,00 €
"""),
        "invoice",
    )

    assert extraction.extracted["total"] == Decimal("1060.00")
    assert extraction.extracted["withholding"] == Decimal("150.00")
    assert confidence(extraction, "total") > 0.9
    assert extraction.extracted["line_items"] == [
        {
            "description": "Asesoría fiscal",
            "quantity": None,
            "unit_price": None,
            "tax_rate": 21,
            "total": Decimal("1210.00"),
        }
    ]


def test_several_rates_with_surcharges_under_their_headings() -> None:
    extraction = extract(
        paper("""
FACTURA A-77
Base imponible    % IVA    Cuota IVA    % R.E.    Recargo        TOTAL FACTURA
      1.000,00    21,00       210,00      5,20      52,00             1.392,11 €
        100,00    10,00        10,00      1,40       1,40
         17,90     4,00         0,72      0,50       0,09
"""),
        "invoice",
    )

    assert extraction.extracted["total"] == Decimal("1392.11")
    assert extraction.extracted["surcharge"] == Decimal("53.49")
    assert confidence(extraction, "total") > 0.9


def test_english_notation_and_words() -> None:
    extraction = extract(
        paper("""
INVOICE                                       Sol Tools S.L.
                                              VAT No. ESB12345674
Bill to                                       Invoice number      INV-0099
Nova S.A.                                     Invoice date        25 March 2026
VAT ESA58818501

Description                 Qty      Unit price        Amount
Annual licence                2        1,250.00      2,500.00

                            Subtotal                 2,500.00
                            VAT 21%                    525.00
                            Total due              €3,025.00
"""),
        "invoice",
    )

    assert extraction.extracted["invoice_number"] == "INV-0099"
    assert extraction.extracted["date"] == "2026-03-25"
    assert extraction.extracted["total"] == Decimal("3025.00")
    assert extraction.extracted["recipient"] == {"name": "Nova S.A.", "nif": "A58818501"}


def test_the_recipient_is_whom_the_label_names_wherever_it_stands() -> None:
    swapped = INVOICE.replace("B12345674", "#").replace("A58818501", "B12345674").replace("#", "A58818501")
    extraction = extract(paper(swapped), "invoice")

    assert extraction.extracted["recipient"]["nif"] == "B12345674"
    assert extraction.extracted["issuer"]["nif"] == "A58818501"


def test_without_a_label_who_is_who_is_not_sure() -> None:
    extraction = extract(paper(INVOICE.replace("CLIENTE", "")), "invoice")

    assert confidence(extraction, "issuer.nif") < 0.9
    assert confidence(extraction, "recipient.nif") < 0.9


def test_some_line_beside_a_tax_id_is_not_surely_a_name() -> None:
    extraction = extract(paper("FACTURA F-1\nSabores de siempre\nCIF: B12345674\n\n" * 2), "invoice")

    assert extraction.extracted["issuer"] == {"name": "Sabores de siempre", "nif": "B12345674"}
    assert confidence(extraction, "issuer.nif") > 0.9
    assert confidence(extraction, "issuer.name") < 0.9


def test_an_american_date_is_not_sure_until_another_one_tells() -> None:
    text = "INVOICE\nInvoice date: 04/03/2026\nthe amount of this invoice is due for payment to us\n"
    alone = extract(paper(text), "invoice", language="en")
    told = extract(paper(text + "Due date: 04/30/2026"), "invoice", language="en")

    assert confidence(alone, "date") <= 0.5
    assert told.extracted["date"] == "2026-04-03"


def test_fields_narrow_and_the_currency_comes_along() -> None:
    extraction = extract(paper(INVOICE), "invoice", fields=["invoice_number", "total"])

    assert extraction.extracted == {"invoice_number": "FAC-2026-001", "total": Decimal("1264.45"), "currency": "EUR"}


def test_nothing_is_made_up() -> None:
    extraction = extract(paper("Hola, te escribo mañana.\nUn saludo"), "invoice")

    assert [value for value in extraction.extracted.values() if value] == []
    assert extraction.confidence == 0
    assert extraction.fields == ()


def test_a_type_without_declared_fields_is_refused() -> None:
    with pytest.raises(KeyError):
        extract(paper("x"), "novel")


def test_items_without_a_header_are_those_that_make_the_base() -> None:
    extraction = extract(
        paper("""
FACTURA Nº 2026/13                       Fecha: 3 de abril de 2026
Expediente 77 por 12,00 horas
Cuota mensual de gestión                             100,00 €
Desplazamiento            2      25,00                50,00 €

Base imponible                                       150,00 €
IVA 21%                                               31,50 €
Total                                                181,50 €
"""),
        "invoice",
    )

    assert extraction.extracted["line_items"] == [
        {
            "description": "Cuota mensual de gestión",
            "quantity": None,
            "unit_price": None,
            "tax_rate": 21,
            "total": Decimal("121.00"),
        },
        {
            "description": "Desplazamiento",
            "quantity": 2,
            "unit_price": Decimal("25.00"),
            "tax_rate": 21,
            "total": Decimal("60.50"),
        },
    ]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("Factura: F-123 - Fecha: 01/02/2026", "F-123"),
        ("Nº de factura 2026 / 0012", "2026 / 0012"),
        ("FACTURA Nº: A 2026/15", "A 2026/15"),
        ("Factura núm. 20260045", "20260045"),
        ("Fatura n.º FT 2026/77", "FT 2026/77"),
        ("Invoice #INV-9", "INV-9"),
        ("Nº pedido: 4500", None),
        ("Factura del 01/02/2026", None),
        ("FACTURA   CIF: B12345674", None),
        ("Nº de cliente: 77", None),
    ],
)
def test_the_number_of_an_invoice(line: str, number: str | None) -> None:
    assert extract(paper(line), "invoice").extracted["invoice_number"] == number
