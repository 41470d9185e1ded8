"""What kind of document it is: told by rules, among the caller's categories only, or not at all."""

import pytest

from bivelio_server.documents.fields import classify, extract
from bivelio_server.reading.port import Reading
from tests.documents.fields.paper import paper
from tests.documents.fields.test_invoices import INVOICE
from tests.documents.fields.test_papers import CARD, CONTRACT, PAYSLIP, STATEMENT

KINDS = {"invoice": INVOICE, "contract": CONTRACT, "payslip": PAYSLIP, "bank_statement": STATEMENT, "id_document": CARD}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_told_from_the_others(kind: str) -> None:
    classification = classify(paper(KINDS[kind]))

    assert classification.label == kind
    assert classification.confidence >= 0.6
    assert extract(paper(KINDS[kind])).document_type == kind


def test_subcategory_language_and_summary() -> None:
    classification = classify(paper(CONTRACT), ["invoice", "contract", "other"])

    assert classification.subcategory == "service_agreement"
    assert classification.detected_language == "es"
    assert classification.summary == (
        "Contrato entre Talleres Sol S.L. y Ana Ruiz Peña con fecha 2026-04-03 con duración P12M por 1.500,00 EUR"
    )


def test_the_summary_of_an_invoice() -> None:
    summary = classify(paper(INVOICE)).summary

    assert summary == "Factura FAC-2026-001 de Proveedor Sol S.L. a Empresa Nova S.A. por 1.264,45 EUR"


def test_only_the_categories_of_the_caller() -> None:
    assert classify(paper(PAYSLIP), ["invoice", "contract", "other"]).label == "other"
    assert classify(paper(PAYSLIP), ["invoice", "contract"]).label is None


@pytest.mark.parametrize("text", ["", "Hola", "Nos vemos el martes a las diez en la oficina de siempre."])
def test_what_shows_nothing_is_not_guessed(text: str) -> None:
    classification = classify(paper(text))

    assert classification.label is None
    assert classification.confidence < 0.6
    assert extract(paper(text)).document_type is None


def test_a_file_without_anything() -> None:
    nothing = Reading("application/pdf", 0, (), "", (), "typewriter")

    assert classify(nothing).label is None
    assert extract(nothing, "invoice").confidence == 0
