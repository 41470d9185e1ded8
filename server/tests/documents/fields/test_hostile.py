"""Texts that are made to keep the server busy, or to break it, do not."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bivelio_server.documents.fields import TYPES, classify, extract
from tests.documents.fields.paper import paper, plain_text, xml

TEXTS = {
    "one word": "contrato " + "a" * 50_000,
    "one number": "9" * 100_000,
    "sums": "Base imponible IVA 21% total recargo IRPF 1,23 4,56 7,89\n" * 300,
    "tax ids": "CIF B12345674 cliente\n" * 400,
    "names": "don maria de la o con nif " * 2_000,
    "words of numbers": "numero " + "dos mil " * 5_000,
    "headers": "Descripción   Cantidad   Precio   Importe\n" * 300,
}


@pytest.mark.parametrize("name", TEXTS)
def test_none_takes_long(name: str) -> None:
    begun = time.process_time()
    for document_type in TYPES:
        extract(plain_text(TEXTS[name]), document_type)
    classify(plain_text(TEXTS[name]))

    assert time.process_time() - begun < 10


PIECES = st.sampled_from(
    [
        "FACTURA",
        "Nº factura:",
        "Fecha:",
        "CLIENTE",
        "Descripción",
        "Cantidad",
        "Precio",
        "Importe",
        "Base imponible",
        "IVA",
        "21%",
        "Total",
        "IRPF",
        "-150,00",
        "1.210,00 €",
        "$ 1,210.00",
        "99999999999999999999,99",
        "0,00",
        "(12,50)",
        "31/02/2026",
        "01/04/2026",
        "del 45 al 99 de marzo de 2026",
        "B12345674",
        "12345678Z",
        "S.L.",
        "Talleres Sol S.L.",
        "ES91 2100 0418 4502 0005 1332",
        "REUNIDOS",
        "En Madrid, a",
        "3 de abril de 2026",
        "Saldo anterior",
        "TOTAL DEVENGADO",
        "P<ESP<<<",
        "|",
        ":",
        "10 x 2,00",
        "veintitrés",
        "NÚMERO",
        "duración de cero meses",
        "a treinta y uno de febrero de dos mil veintiséis",
    ]
)
TEXTS_OF_PIECES = st.lists(st.tuples(PIECES, st.sampled_from([" ", "    ", "\n", "\n\n"])), max_size=40).map(
    lambda pieces: "".join(piece + gap for piece, gap in pieces)
)


@given(TEXTS_OF_PIECES)
def test_no_text_breaks_it(text: str) -> None:
    for reading in (paper(text, source="ocr", confidence=0.5), plain_text(text)):
        classify(reading)
        for document_type, schema in TYPES.items():
            extraction = extract(reading, document_type)
            schema.model_validate(extraction.extracted)
            assert all(0 <= field.confidence <= 1 for field in extraction.fields)


@pytest.mark.parametrize("number", ["1E+999999", "NaN", "9" * 4000, "Infinity", "-", "1.2.3"])
def test_no_number_of_an_xml_breaks_it(number: str) -> None:
    invoice = f"""<Invoice><LegalMonetaryTotal><TaxExclusiveAmount>{number}</TaxExclusiveAmount>
        </LegalMonetaryTotal><InvoiceLine>
        <LineExtensionAmount>{number}</LineExtensionAmount><Item><ClassifiedTaxCategory><Percent>{number}</Percent>
        </ClassifiedTaxCategory></Item></InvoiceLine></Invoice>"""

    assert extract(xml(invoice)).extracted["subtotal"] is None
