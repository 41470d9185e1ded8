from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from bivelio_server.ai.embedded.adapter import EmbeddedAI

pytestmark = pytest.mark.anyio

LETTER = """Talleres Moya, NIF B12345674, reclama a doña Ana (ana@ejemplo.es, 612 345 678)
la factura de fecha 4 de marzo de 2026 con vencimiento el 15/04/2026.
Base imponible: 1.200,00 €. Total: 1.452,00 €, en la cuenta ES91 2100 0418 4502 0005 1332."""


async def extracted(models: Path, **properties: Any) -> dict[str, Any]:
    result = await EmbeddedAI(models).extract(LETTER, {"type": "object", "properties": properties})
    assert (result.engine, result.model) == ("embedded", "patterns")
    return result.data


async def test_properties_are_served_by_format_and_by_name(models: Path) -> None:
    assert await extracted(
        models, nif={"type": "string"}, contact={"type": "string", "format": "email"}, telefono={}, iban={}
    ) == {
        "nif": "B12345674",
        "contact": "ana@ejemplo.es",
        "telefono": "+34612345678",
        "iban": "ES9121000418450200051332",
    }


async def test_of_several_the_one_beside_the_property_s_own_words_is_meant(models: Path) -> None:
    assert await extracted(
        models,
        total={"type": "number"},
        due_date={"type": "string", "format": "date", "description": "Fecha de vencimiento"},
        currency={"type": "string"},
    ) == {"total": Decimal("1452.00"), "due_date": "2026-04-15", "currency": "EUR"}


async def test_what_is_in_doubt_or_not_of_a_form_is_none(models: Path) -> None:
    assert await extracted(models, date={"format": "date"}, summary={"type": "string"}, issuer={"type": "object"}) == {
        "date": None,
        "summary": None,
        "issuer": None,
    }


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("El cliente quiere cambiar su plan a Enterprise", "enterprise"),
        ("¿Qué diferencia hay entre Pro y Enterprise?", None),
        ("Quiero cambiar de plan; es un problema", None),
    ],
)
async def test_of_a_choice_the_one_that_is_named_is_meant(models: Path, text: str, plan: str | None) -> None:
    schema = {"properties": {"target_plan": {"enum": ["starter", "pro", "enterprise", None]}}}
    assert (await EmbeddedAI(models).extract(text, schema)).data == {"target_plan": plan}


async def test_a_list_takes_all(models: Path) -> None:
    dates = {"type": "array", "items": {"type": "string", "format": "date"}}
    assert await extracted(models, fecha=dates) == {"fecha": ["2026-03-04", "2026-04-15"]}


@pytest.mark.parametrize("schema", [{}, {"type": "string"}, {"properties": {"a": True}}, {"properties": []}])
async def test_an_odd_schema_gets_nothing(models: Path, schema: dict[str, Any]) -> None:
    data = (await EmbeddedAI(models).extract(LETTER, schema)).data
    assert not any(data.values())


async def test_what_patterns_were_asked_is_measured(models: Path) -> None:
    labels = {"engine": "embedded", "model": "patterns", "outcome": "answered"}
    before = REGISTRY.get_sample_value("bivelio_ai_calls_total", labels) or 0.0

    await extracted(models, total={"type": "number"})

    assert REGISTRY.get_sample_value("bivelio_ai_calls_total", labels) == before + 1
