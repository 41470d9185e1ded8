"""From the cells of a file to what they say of a contact, by the rules of `contacts.create`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, ValidationError

from bivelio_server.contacts.columns import CUSTOM, Column
from bivelio_server.contacts.schemas import ContactType, Tags
from bivelio_server.contacts.spreadsheets import unguarded
from bivelio_server.jobs.kinds import RowProblem
from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.models import Email, FreeObject, Id, Input, Name, Phone
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import validation_failed

#: A row's number, and the cells of its used columns, as they are kept between upload and import.
PackedRow = tuple[int, list[str]]
_TYPES: Final = {"persona": "person", "contacto": "person", "individual": "person", "empresa": "company",
                 "compania": "company", "compañía": "company", "organización": "company"}  # fmt: skip


class RowInput(Input):
    """What a row may hold; the types are those of ContactCreate, none is required before it is known who it is."""

    type: ContactType | None = None
    name: Name | None = None
    email: Email | None = None
    phone: Phone | None = None
    company_id: Id | None = None
    company: Name | None = None
    tags: Tags = Field(default=[])
    custom_fields: FreeObject = Field(default={})


@dataclass(frozen=True, slots=True)
class Draft:
    row: int
    given: RowInput


def read_drafts(rows: Sequence[PackedRow], columns: Sequence[Column]) -> tuple[list[Draft], list[RowProblem]]:
    """The rows that can be taken, and what is wrong with the others."""
    drafts: list[Draft] = []
    problems: list[RowProblem] = []
    readers = [(column.field, _READERS.get(column.field, _text)) for column in columns]
    for number, cells in rows:
        try:
            drafts.append(Draft(number, RowInput.model_validate(_fields(cells, readers))))
        except ValidationError as error:
            problems += refusal(number, validation_failed(error))
        except ValidationFailed as error:
            problems += refusal(number, error)
    return drafts, problems


def refusal(row: int, error: ValidationFailed) -> list[RowProblem]:
    return [RowProblem(row, problem.field, problem.constraint, problem.text) for problem in error.problems]


_Reader = Callable[[str], Any]


def _fields(cells: Sequence[str], readers: Sequence[tuple[str, _Reader]]) -> dict[str, Any]:
    """What the cells hold; an empty one says nothing. Spaces around a value are dropped, except in custom fields."""
    found: dict[str, Any] = {}
    names = ["", "", ""]
    for cell, (field, read) in zip(cells, readers, strict=True):
        value = unguarded(cell)
        if field.startswith(CUSTOM):
            if value:
                found.setdefault("custom_fields", {})[field[len(CUSTOM) :]] = _storable(field, value)
            continue
        value = _storable(field, value.strip())
        if not value:
            continue
        if field in _NAMES:
            names[_NAMES.index(field)] = value
        elif field == "tags":
            found["tags"] = found.get("tags", []) + read(value)
        else:
            found[field] = read(value)
    if any(names):
        found["name"] = " ".join(name for name in names if name)
    return found


def _storable(field: str, value: str) -> str:
    """What JSON may not hold a file may not either."""
    if "\x00" in value:
        raise ValidationFailed(Problem(field, "storable", _NUL.format(field=field)))
    return value


def _text(value: str) -> str:
    return value


def _type(value: str) -> str:
    lowered = value.lower()
    return _TYPES.get(lowered, lowered)


def _tags(value: str) -> list[Any]:
    """`a; b`, `a, b`, or a JSON list (which our own export writes for tags that hold such signs)."""
    if value.startswith("["):
        try:
            listed = json.loads(value)
        except json.InvalidJSON:
            listed = None
        if isinstance(listed, list):
            return listed
    separator = ";" if ";" in value else "," if "," in value else "|"
    return [tag.strip() for tag in value.split(separator) if tag.strip()]


_NUL: Final = Text("El campo '{field}' contiene el carácter NUL.", "The field '{field}' contains the NUL character.")
_NAMES: Final = ("name", "first_name", "last_name")
_READERS: Final[dict[str, _Reader]] = {"type": _type, "tags": _tags}
