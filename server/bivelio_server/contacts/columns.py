"""Which column of a file is which field of a contact: as the caller says, or as the header suggests."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.text import Text, fold

FIELDS: Final = ("type", "name", "first_name", "last_name", "email", "phone", "company_id", "company", "tags")
CUSTOM: Final = "custom_fields."
MAX_CUSTOM_NAME: Final = 100
_NOT_A_WORD: Final = re.compile(r"[^a-z0-9]+")
#: Folded headers in Spanish and English. A field is guessed once: for the first column that suggests it.
_GUESSES: Final[Mapping[str, str]] = {
    header: field
    for field, headers in {
        "type": ("type", "tipo", "contact type", "tipo de contacto"),
        "name": ("name", "nombre", "full name", "nombre completo", "nombre y apellidos", "contact", "contacto",
                 "contact name", "razon social", "cliente", "client", "customer"),
        "first_name": ("first name", "given name", "nombre de pila", "primer nombre"),
        "last_name": ("last name", "surname", "family name", "apellido", "apellidos"),
        "email": ("email", "e mail", "mail", "correo", "correo electronico", "email address", "direccion de correo",
                  "direccion de correo electronico", "correo e"),
        "phone": ("phone", "telefono", "tel", "tlf", "tfno", "telf", "movil", "mobile", "phone number", "cell",
                  "mobile phone", "telefono movil", "numero de telefono", "celular"),
        "company_id": ("company id", "id empresa", "id de empresa"),
        "company": ("company", "empresa", "organization", "organisation", "organizacion", "compania", "company name",
                    "nombre de empresa", "nombre de la empresa", "sociedad"),
        "tags": ("tags", "tag", "etiquetas", "etiqueta", "labels", "categorias", "grupos"),
    }.items()
    for header in headers
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file that is used: its place, counted from 0, and the field it fills."""

    place: int
    field: str


def resolve(mapping: Mapping[str, str], header: Sequence[str] | None, width: int) -> list[Column]:
    """The caller's mapping: keys are names in the header, or numbers of columns counted from 1.

    Raises ValidationFailed, naming every key that is wrong.
    """
    problems: list[Problem] = []
    columns: list[Column] = []
    for key, field in mapping.items():
        place = _place(key, header, width)
        if place is None:
            problems.append(Problem(f"mapping.{key}"[:200], "column", _NO_COLUMN.format(key=key[:100])))
        elif not is_field(field):
            problems.append(Problem(f"mapping.{key}"[:200], "one_of", _NO_FIELD))
        else:
            columns.append(Column(place, field))
    problems += _repeated(columns)
    if problems:
        raise ValidationFailed(problems)
    return columns


def guess(header: Sequence[str]) -> list[Column]:
    """What the header suggests. A column of an unknown name is left out."""
    columns: list[Column] = []
    for place, name in enumerate(header):
        field = name.strip() if name.strip().startswith(CUSTOM) else _GUESSES.get(_words(name), "")
        if is_field(field) and field not in {column.field for column in columns}:
            columns.append(Column(place, field))
    return columns


def is_field(field: str) -> bool:
    return field in FIELDS or (field.startswith(CUSTOM) and 0 < len(field) - len(CUSTOM) <= MAX_CUSTOM_NAME)


def _place(key: str, header: Sequence[str] | None, width: int) -> int | None:
    names = [name.strip() for name in header or ()]
    if key.strip() in names:
        return names.index(key.strip())
    if key.isascii() and key.isdigit() and len(key) <= 4 and 1 <= int(key) <= width:
        return int(key) - 1
    return None


def _repeated(columns: Sequence[Column]) -> list[Problem]:
    """Several columns may hold tags; any other field comes from one."""
    fields = [column.field for column in columns if column.field != "tags"]
    twice = sorted({field for field in fields if fields.count(field) > 1})
    return [Problem("mapping", "unique", _TWICE.format(field=field)) for field in twice]


def _words(name: str) -> str:
    return _NOT_A_WORD.sub(" ", fold(name)).strip()


_NO_COLUMN: Final = Text(
    "El fichero no tiene la columna '{key}': usa un nombre de la cabecera, o su número desde 1.",
    "The file has no column '{key}': use a name of its header, or its number counted from 1.",
)
_NO_FIELD: Final = Text(
    f"El campo debe ser uno de: {', '.join(FIELDS)}, custom_fields.<nombre>.",
    f"The field must be one of: {', '.join(FIELDS)}, custom_fields.<name>.",
)
_TWICE: Final = Text("El campo '{field}' viene de dos columnas.", "The field '{field}' comes from two columns.")
