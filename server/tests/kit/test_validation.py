"""What a refused field tells the caller, in both languages."""

from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, ValidationError

from bivelio_server.kit.errors import Problem
from bivelio_server.kit.models import Email, FreeObject, Id, Input, Name, PageInput, Phone, Timestamp
from bivelio_server.kit.validation import field_path, validation_failed


class Line(Input):
    quantity: int = Field(gt=0, lt=1000)


class Sample(PageInput):
    name: Name
    kind: Literal["a", "b", "c"] = "a"
    email: Email | None = None
    phone: Phone | None = None
    code: Annotated[str, Field(pattern="^[A-Z]+$")] = "A"
    done: bool = False
    when: Timestamp | None = None
    line_items: list[Line] = Field(default=[], max_length=2)
    tags: list[str] | None = Field(None, min_length=1)
    extra: FreeObject = Field(default={})
    ref: Id | None = None


REFUSALS = [
    ({}, "name", "required", "El campo 'name' es obligatorio.", "The field 'name' is required."),
    ({"name": ""}, "name", "min_length", "no puede estar vacío", "must not be empty"),
    ({"name": "   "}, "name", "min_length", "El campo 'name' está vacío.", "The field 'name' is empty."),
    ({"name": "x" * 201}, "name", "max_length", "como máximo 200", "at most 200"),
    ({"name": 5}, "name", "string", "debe ser un texto", "must be a string"),
    ({"name": None}, "name", "string", "debe ser un texto", "must be a string"),
    ({"name": "a", "nombre": "b"}, "nombre", "unknown_field", "no existe", "does not exist"),
    ({"name": "a", "kind": "d"}, "kind", "one_of", "debe ser uno de: 'a', 'b', 'c'.", "must be one of: 'a', 'b', 'c'."),
    ({"name": "a", "email": "a@@b"}, "email", "email", "dirección de correo", "e-mail address"),
    ({"name": "a", "phone": "abc"}, "phone", "phone", "no es un teléfono", "not a phone number"),
    ({"name": "a", "code": "a"}, "code", "pattern", "no tiene la forma", "does not match"),
    ({"name": "a", "done": "true"}, "done", "boolean", "true o false", "true or false"),
    ({"name": "a", "done": 1}, "done", "boolean", "true o false", "true or false"),
    ({"name": "a", "page": "1"}, "page", "integer", "debe ser un entero", "must be an integer"),
    ({"name": "a", "page": Decimal("1.5")}, "page", "integer", "debe ser un entero", "must be an integer"),
    ({"name": "a", "page": True}, "page", "integer", "debe ser un entero", "must be an integer"),
    ({"name": "a", "page": 0}, "page", "minimum", "debe ser 1 o más", "must be 1 or more"),
    ({"name": "a", "per_page": 101}, "per_page", "maximum", "debe ser 100 o menos", "must be 100 or less"),
    ({"name": "a", "when": "2026-04-07T12:00:00"}, "when", "date-time", "con desfase", "with an offset"),
    ({"name": "a", "when": "mañana"}, "when", "date-time", "con desfase", "with an offset"),
    ({"name": "a", "when": 5}, "when", "date-time", "con desfase", "with an offset"),
    ({"name": "a", "line_items": {}}, "line_items", "array", "debe ser una lista", "must be an array"),
    ({"name": "a", "line_items": [5]}, "line_items[0]", "object", "debe ser un objeto", "must be an object"),
    (
        {"name": "a", "line_items": [{"quantity": 1}, {"quantity": 0}]}, "line_items[1].quantity", "minimum",
        "mayor que 0", "more than 0",
    ),
    ({"name": "a", "line_items": [{"quantity": "1"}]}, "line_items[0].quantity", "integer", "un entero", "an integer"),
    ({"name": "a", "line_items": [{"quantity": 1}] * 3}, "line_items", "max_items", "como máximo 2", "at most 2"),
    ({"name": "a", "tags": []}, "tags", "min_items", "no puede estar vacío", "must not be empty"),
    ({"name": "a", "extra": {"": 1}}, "extra.", "min_length", "no puede estar vacío", "must not be empty"),
    ({"name": "a", "extra": {"x": "y" * 70_000}}, "extra", "max_length", "más de 65536 bytes", "more than 65536 bytes"),
    ([], "data", "object", "El campo 'data' debe ser un objeto.", "The field 'data' must be an object."),
    (None, "data", "object", "El campo 'data' debe ser un objeto.", "The field 'data' must be an object."),
]  # fmt: skip


@pytest.mark.parametrize(("data", "field", "constraint", "spanish", "english"), REFUSALS)
def test_names_field_constraint_and_remedy(data: Any, field: str, constraint: str, spanish: str, english: str) -> None:
    problem = problems_of(data)[0]

    assert (problem.field, problem.constraint) == (field, constraint)
    assert spanish in problem.text.es
    assert english in problem.text.en


def test_tells_all_problems_at_once() -> None:
    found = problems_of({"kind": "d", "page": 0, "x": 1})

    assert {problem.field for problem in found} == {"name", "kind", "page", "x"}


def test_a_long_field_name_is_not_echoed_whole() -> None:
    problem = problems_of({"name": "a", "x" * 100_000: 1})[0]

    assert len(problem.field) <= 200
    assert len(problem.text.es) < 300


def test_braces_in_a_field_name_are_plain_text() -> None:
    assert "'{0.__class__}'" in problems_of({"name": "a", "{0.__class__}": 1})[0].text.en


@pytest.mark.parametrize(
    ("location", "path"),
    [(("a",), "a"), (("line_items", 0, "quantity"), "line_items[0].quantity"), ((0, "a"), "[0].a"), ((), "")],
)
def test_field_path(location: tuple[int | str, ...], path: str) -> None:
    assert field_path(location) == path


def problems_of(data: Any) -> list[Problem]:
    with pytest.raises(ValidationError) as refused:
        Sample.model_validate(data)
    return validation_failed(refused.value).problems
