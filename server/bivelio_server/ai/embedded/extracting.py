"""The values of a schema's properties, as far as patterns can tell them.

A property is served by the kind of entity that its `format` or its name asks for. It gets a value only when there is no
doubt: one that stands next to the property's own words, or the only one of its kind. Of an `enum`, it gets the only
value that the text names.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from bivelio_server.ai.embedded.amounts import Money
from bivelio_server.ai.embedded.entities import Entity, EntityKind, entities_in
from bivelio_server.ai.port import JSONSchema

_BY_FORMAT: Final[Mapping[str, EntityKind]] = {
    "date": "date", "email": "email", "idn-email": "email", "uri": "url", "url": "url", "iban": "iban",
    "phone": "phone", "tel": "phone", "nif": "tax_id",
}  # fmt: skip
_NAMES: Final[Mapping[EntityKind, str]] = {
    "tax_id": "nif cif nie dni vat tax_id vat_id vat_number tax_number",
    "iban": "iban bank_account cuenta_bancaria account_number",
    "email": "email mail e_mail correo correo_electronico",
    "phone": "phone telephone mobile tel telefono movil phone_number",
    "url": "url website web link enlace",
    "date": "date fecha data day dia vencimiento",
    "amount": "amount total subtotal price importe precio cuantia coste cost suma net gross neto bruto",
}
_BY_NAME: Final[Mapping[str, EntityKind]] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_CURRENCY: Final = frozenset({"currency", "moneda", "divisa"})
#: Where a property's own words are looked for: so many characters before the value, in its line.
_BEFORE: Final = 48
_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_TOKEN: Final = re.compile(r"\w+")
_ACCENTS: Final = str.maketrans("áàéèíïóòúüçñ", "aaeeiioouucn")


def extract(text: str, schema: JSONSchema) -> dict[str, Any]:
    """A value or None for each property."""
    entities = entities_in(text)
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return {}
    return {name: _value(name, declared, text, entities) for name, declared in properties.items()}


def _value(name: str, declared: Any, text: str, entities: Sequence[Entity]) -> Any:
    declared = declared if isinstance(declared, Mapping) else {}
    types = _types(declared)
    if isinstance(choices := declared.get("enum"), list):
        return _only({choice for choice in choices if isinstance(choice, str) and _names(text, choice)})
    if _plain(name) in _CURRENCY:
        return _only({entity.value.currency for entity in entities if entity.kind == "amount"})
    kind = _kind(name, declared)
    candidates = [entity for entity in entities if entity.kind == kind]
    if "array" in types:
        items = declared.get("items")
        return [_typed(entity, _types(items)) for entity in candidates] or None
    if types & {"object", "boolean"} or not candidates:
        return None
    named = [entity for entity in candidates if _is_named(entity, _cues(name, declared), text)]
    found = {_typed(entity, types) for entity in named or candidates}
    return _only(found)


def _kind(name: str, declared: Mapping[str, Any]) -> EntityKind | None:
    if (kind := _BY_FORMAT.get(str(declared.get("format", "")))) is not None:
        return kind
    words = _plain(name).split("_")
    for length in range(len(words), 0, -1):
        parts = ("_".join(words[begin : begin + length]) for begin in range(len(words) - length, -1, -1))
        for part in parts:
            if part in _BY_NAME:
                return _BY_NAME[part]
    return None


def _types(declared: Any) -> frozenset[str]:
    kind = declared.get("type") if isinstance(declared, Mapping) else None
    return frozenset([kind] if isinstance(kind, str) else kind or ())


def _typed(entity: Entity, types: frozenset[str]) -> Any:
    """As the property's type wants it: a sum is a number unless a text is asked for."""
    match entity.value:
        case Money(amount=amount):
            return str(amount) if "string" in types else amount
        case date() as day:
            return day.isoformat()
        case value:
            return value


def _cues(name: str, declared: Mapping[str, Any]) -> frozenset[str]:
    """The property's own words, without those that only say its kind."""
    words = f"{name.replace('_', ' ')} {declared.get('title', '')} {declared.get('description', '')}"
    return frozenset(_plain(word) for word in _WORD.findall(words)) - _KIND_WORDS


def _is_named(entity: Entity, cues: frozenset[str], text: str) -> bool:
    before = text[max(0, entity.start - _BEFORE) : entity.start].rpartition("\n")[2]
    return any(_plain(word) in cues for word in _WORD.findall(before))


def _names(text: str, choice: str) -> bool:
    """Whether the words of the choice stand in the text, one after the other."""
    words = f" {' '.join(_TOKEN.findall(_folded(text)))} "
    wanted = " ".join(_TOKEN.findall(_folded(choice.replace("_", " "))))
    return bool(wanted) and f" {wanted} " in words


def _only(values: set[Any]) -> Any:
    return next(iter(values)) if len(values) == 1 else None


def _plain(word: str) -> str:
    return _folded(word.strip()).replace("-", "_").replace(" ", "_")


def _folded(text: str) -> str:
    return text.lower().translate(_ACCENTS)


_KIND_WORDS: Final = frozenset(
    {"date", "fecha", "data", "amount", "importe", "number", "numero", "del", "the", "los", "las"}
)
