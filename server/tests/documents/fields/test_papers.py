"""Receipts, contracts, deeds, identity documents, payslips and bank statements."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bivelio_server.documents.fields import TYPES, Extraction, extract, field_names
from bivelio_server.reading.port import Box, Word
from tests.documents.fields.paper import paper


def confidence(extraction: Extraction, path: str) -> float:
    return next(field.confidence for field in extraction.fields if field.path == path)


def test_a_receipt_whose_items_add_up() -> None:
    extraction = extract(
        paper(
            """
      BAR SOL S.L.
     NIF B12345674
FACTURA SIMPLIFICADA
Ticket: T-00123
01/04/2026 13:45
2 CAFE CON LECHE     3,00
1 TORTILLA           7,50
TOTAL EUR           10,50
TARJETA             10,50
IVA      BASE     CUOTA
10%      9,55      0,95
""",
            width=226,
        ),
        "receipt",
    )

    assert extraction.extracted["total"] == Decimal("10.50")
    assert extraction.extracted["time"] == "13:45"
    assert extraction.extracted["issuer"] == {"name": "BAR SOL S.L.", "nif": "B12345674"}
    assert extraction.extracted["payment_method"] == "card"
    assert [item["total"] for item in extraction.extracted["line_items"]] == [Decimal("3.00"), Decimal("7.50")]
    assert confidence(extraction, "total") > 0.9


CONTRACT = """
CONTRATO DE PRESTACIÓN DE SERVICIOS
En Madrid, a 3 de abril de 2026
REUNIDOS
De una parte, D. Juan Gil Mora, con NIF 12345678Z, en nombre y representación de Talleres Sol S.L., con
CIF B12345674, en adelante el CLIENTE.
Y de otra parte, Dña. Ana Ruiz Peña, mayor de edad, con NIF 87654321X, en adelante la PRESTADORA.
CLÁUSULAS
PRIMERA. Duración. El contrato tendrá una duración de doce (12) meses desde su firma.
SEGUNDA. Precio. El cliente abonará unos honorarios de 1.500,00 euros mensuales.
"""


def test_a_contract_between_a_company_and_a_person() -> None:
    extraction = extract(paper(CONTRACT), "contract")

    assert extraction.extracted == {
        "parties": [{"name": "Talleres Sol S.L.", "nif": "B12345674"}, {"name": "Ana Ruiz Peña", "nif": "87654321X"}],
        "date": "2026-04-03",
        "duration": "P12M",
        "amount": Decimal("1500.00"),
        "currency": "EUR",
        "signature_place": "Madrid",
    }


def test_a_deed_in_words() -> None:
    extraction = extract(
        paper("""
NÚMERO MIL DOSCIENTOS TREINTA Y CUATRO.-
ESCRITURA DE COMPRAVENTA
En Valencia, a veintitrés de abril de dos mil veintiséis.
Ante mí, PEDRO LÓPEZ SANZ, Notario del Ilustre Colegio de Valencia,
COMPARECEN
DON JUAN GIL MORA, mayor de edad, con DNI 12345678Z.
DOÑA ANA RUIZ PEÑA, mayor de edad, con DNI 87654321X.
"""),
        "deed",
    )

    assert extraction.extracted["protocol_number"] == "1234"
    assert extraction.extracted["notary"] == "PEDRO LÓPEZ SANZ"
    assert extraction.extracted["date"] == "2026-04-23"
    assert [party["nif"] for party in extraction.extracted["parties"]] == ["12345678Z", "87654321X"]


def test_a_notary_in_a_city_with_her_title() -> None:
    extraction = extract(
        paper("""
En la Villa de Madrid, a tres de mayo de dos mil veintiséis.
Ante mí, doña Ana Peña Gil, notaria de esta capital,
"""),
        "deed",
    )

    assert extraction.extracted["notary"] == "Ana Peña Gil"
    assert extraction.extracted["place"] == "Madrid"


def test_what_a_company_is_called_is_not_its_name() -> None:
    extraction = extract(
        paper("""
COMPARECE
D. Juan Gil Mora, con NIF 12345678Z, en nombre y representación de la mercantil
Talleres Sol S.L., con CIF B12345674.
"""),
        "deed",
    )

    assert extraction.extracted["parties"][1] == {"name": "Talleres Sol S.L.", "nif": "B12345674"}


CARD = """
IDESPBAA000589599999999R<<<<<<
8001014F3106028ESP<<<<<<<<<<<9
ESPANOLA<ESPANOLA<<CARMEN<<<<<
"""


def test_an_identity_card_by_its_zone() -> None:
    extraction = extract(paper(CARD), "id_document")

    assert extraction.extracted == {
        "kind": "dni",
        "document_number": "BAA000589",
        "id_number": "99999999R",
        "surnames": "ESPANOLA ESPANOLA",
        "name": "CARMEN",
        "nationality": "ESP",
        "birth_date": "1980-01-01",
        "expiry_date": "2031-06-02",
        "sex": "F",
    }
    assert confidence(extraction, "birth_date") > 0.9


def test_names_of_a_zone_have_the_accents_that_are_printed() -> None:
    printed = "APELLIDOS\nESPAÑOLA ESPAÑOLA\nNOMBRE\nCARMEN"

    alone, both = extract(paper(CARD), "id_document"), extract(paper(printed + CARD), "id_document")

    assert confidence(alone, "surnames") < 0.9
    assert both.extracted["surnames"] == "ESPAÑOLA ESPAÑOLA"
    assert confidence(both, "surnames") > 0.9


def test_the_front_of_an_identity_card_by_its_labels() -> None:
    extraction = extract(
        paper("""
DOCUMENTO NACIONAL DE IDENTIDAD
APELLIDOS
ESPAÑOLA ESPAÑOLA
NOMBRE
CARMEN
SEXO      NACIONALIDAD      FECHA DE NACIMIENTO
F         ESP               01 01 1980
NUM SOPORT        VALIDEZ
BAA000589         02 06 2031
DNI 99999999R
"""),
        "id_document",
    )

    assert extraction.extracted == {
        "kind": "dni",
        "document_number": "BAA000589",
        "id_number": "99999999R",
        "surnames": "ESPAÑOLA ESPAÑOLA",
        "name": "CARMEN",
        "nationality": "ESP",
        "birth_date": "1980-01-01",
        "expiry_date": "2031-06-02",
        "sex": "F",
    }


def test_a_zone_with_a_misread_digit_is_not_sure() -> None:
    extraction = extract(paper(CARD.replace("8001014", "8001074")), "id_document")

    assert confidence(extraction, "birth_date") < 0.9


def test_a_passport_by_its_zone() -> None:
    extraction = extract(
        paper("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10"),
        "id_document",
    )

    assert extraction.extracted["kind"] == "passport"
    assert extraction.extracted["document_number"] == "L898902C3"
    assert extraction.extracted["birth_date"] == "1974-08-12"
    assert extraction.extracted["surnames"] == "ERIKSSON"


PAYSLIP = """
RECIBO INDIVIDUAL JUSTIFICATIVO DEL PAGO DE SALARIOS
Empresa: Talleres Sol S.L.                   Trabajador: Ana Ruiz Peña
CIF: B12345674                               NIF: 87654321X
Período de liquidación: del 01/03/2026 al 31/03/2026
Salario base                                            1.800,00
A. TOTAL DEVENGADO                                      1.800,00
Retención I.R.P.F.        12,00 %                         216,00
B. TOTAL A DEDUCIR                                        216,00
LÍQUIDO TOTAL A PERCIBIR (A-B)                          1.584,00 €
"""


def test_a_payslip_whose_sums_hold() -> None:
    extraction = extract(paper(PAYSLIP), "payslip")

    assert extraction.extracted == {
        "employee": {"name": "Ana Ruiz Peña", "nif": "87654321X"},
        "employer": {"name": "Talleres Sol S.L.", "nif": "B12345674"},
        "period": {"start": "2026-03-01", "end": "2026-03-31"},
        "gross": Decimal("1800.00"),
        "deductions": Decimal("216.00"),
        "net": Decimal("1584.00"),
        "currency": "EUR",
    }
    assert confidence(extraction, "net") > 0.9


def test_a_payslip_whose_sums_do_not_hold_is_not_sure() -> None:
    extraction = extract(paper(PAYSLIP.replace("1.584,00", "1.854,00")), "payslip")

    assert confidence(extraction, "net") < 0.9


STATEMENT = """
EXTRACTO DE CUENTA        IBAN ES91 2100 0418 4502 0005 1332
Período: 01/03/2026 - 31/03/2026
Fecha        Concepto                 Debe        Haber        Saldo
             Saldo anterior                                  1.000,00
02/03/2026   RECIBO LUZ              80,50                     919,50
10/03/2026   TRANSFERENCIA                       500,00      1.419,50
             Saldo final                                     1.419,50
"""


def test_the_running_balance_tells_what_left_the_account() -> None:
    extraction = extract(paper(STATEMENT), "bank_statement")

    assert extraction.extracted["iban"] == "ES9121000418450200051332"
    assert extraction.extracted["period"] == {"start": "2026-03-01", "end": "2026-03-31"}
    assert extraction.extracted["closing_balance"] == Decimal("1419.50")
    assert [(one["amount"], one["balance"]) for one in extraction.extracted["movements"]] == [
        (Decimal("-80.50"), Decimal("919.50")),
        (Decimal("500.00"), Decimal("1419.50")),
    ]
    assert confidence(extraction, "movements[0].amount") > 0.9


@pytest.mark.parametrize("slope", [-0.012, 0.012])
def test_a_scan_that_is_not_quite_straight(slope: float) -> None:
    straight = paper(STATEMENT, source="ocr", confidence=0.99)
    words = [
        Word(
            word.text,
            Box(word.box.x0, word.box.y0 + slope * word.box.x0, word.box.x1, word.box.y1 + slope * word.box.x0),
        )
        for word in straight.pages[0].words
    ]
    askew = replace(straight, pages=[replace(straight.pages[0], words=words)])

    assert extract(askew, "bank_statement").extracted == extract(straight, "bank_statement").extracted


def test_what_is_extracted_is_of_the_declared_schema() -> None:
    for document_type, text in (
        ("contract", CONTRACT),
        ("payslip", PAYSLIP),
        ("bank_statement", STATEMENT),
        ("id_document", CARD),
    ):
        extracted = extract(paper(text), document_type).extracted

        TYPES[document_type].model_validate(extracted)
        assert tuple(extracted) == field_names(document_type)
        assert TYPES[document_type].json_schema()["properties"].keys() == extracted.keys()
