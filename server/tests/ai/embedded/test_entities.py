from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bivelio_server.ai.embedded.amounts import Money
from bivelio_server.ai.embedded.entities import EntityKind, entities_in


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("tax_id", "12345678Z", "12345678Z"),
        ("tax_id", "12.345.678-Z", "12345678Z"),
        ("tax_id", "X-1234567-L", "X1234567L"),
        ("tax_id", "ES B12345674", "B12345674"),
        ("iban", "ES91 2100 0418 4502 0005 1332", "ES9121000418450200051332"),
        ("iban", "DE89370400440532013000", "DE89370400440532013000"),
        ("email", "Ana.Ruiz+ventas@Ejemplo.ES", "Ana.Ruiz+ventas@ejemplo.es"),
        ("url", "https://ejemplo.es/a?b=1", "https://ejemplo.es/a?b=1"),
        ("phone", "612 345 678", "+34612345678"),
        ("phone", "+351 912 345 678", "+351912345678"),
        ("date", "04/03/2026", date(2026, 3, 4)),
        ("date", "4.3.26", date(2026, 3, 4)),
        ("date", "2026-03-04", date(2026, 3, 4)),
        ("date", "4 de marzo de 2026", date(2026, 3, 4)),
        ("date", "4 de març de 2026", date(2026, 3, 4)),
        ("date", "4 de março de 2026", date(2026, 3, 4)),
        ("date", "March 4th, 2026", date(2026, 3, 4)),
        ("amount", "1.452,00 €", Money(Decimal("1452.00"), "EUR")),
        ("amount", "$1,452.50", Money(Decimal("1452.50"), "USD")),
        ("amount", "1 200 EUR", Money(Decimal(1200), "EUR")),
        ("amount", "-86,4 euros", Money(Decimal("-86.4"), "EUR")),
        ("amount", "12.345.678 COP", Money(Decimal(12345678), "COP")),
    ],
)
def test_an_entity_is_found_in_its_place(kind: EntityKind, text: str, value: Any) -> None:
    (entity,) = entities_in(f"Según lo dicho ({text}), así es.")
    assert (entity.kind, entity.text, entity.value) == (kind, text, value)
    assert entity.start == len("Según lo dicho (")


@pytest.mark.parametrize(
    "text",
    [
        "12345678A",  # another letter belongs to that number
        "ES92 2100 0418 4502 0005 1332",
        "31/02/2026",
        "192.168.1.10",
        "versión 2.10.2025.1",
        "12,5 %",
        "1.452,00",
        "@ejemplo.es",
        "900 kWh",
        "0" * 5000,
        "111 " * 5000,
    ],
)
def test_what_only_looks_like_one_is_none(text: str) -> None:
    assert entities_in(f"Aquí pone {text} y nada más.") == []


def test_entities_come_in_their_order_and_never_one_within_another() -> None:
    text = "Abonar 300 € en ES91 2100 0418 4502 0005 1332 EL 5/5/2026 y avisar a caja@ejemplo.es o www.ejemplo.es."
    entities = entities_in(text)
    assert [entity.kind for entity in entities] == ["amount", "iban", "date", "email", "url"]
    assert [text[entity.start : entity.end] for entity in entities] == [entity.text for entity in entities]
