"""Texts that are made to keep the server busy do not."""

import time

import pytest

from bivelio_server.documents.fields import TYPES, classify, extract
from tests.documents.fields.paper import plain_text

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
