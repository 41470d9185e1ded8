"""What holds for every contact, however it is written: one by one or thousands at a time."""

from typing import Any, Final

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem, ValidationFailed, null_refused
from bivelio_server.kit.models import MAX_OBJECT_BYTES, parse_phone
from bivelio_server.kit.search import searchable
from bivelio_server.kit.text import Text


def derived(name: str, email: str | None, phone: str | None) -> dict[str, str | None]:
    """The columns by which a contact is compared and found."""
    number = parse_phone(phone) if phone else None
    return {
        "email_key": email.lower() if email else None,
        "phone_e164": number,
        "own_search": searchable(name, email, phone, number),
    }


def merged(present: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """The custom fields after a change; a `null` removes a field. Raises ValidationFailed."""
    if changes is None:
        raise null_refused("custom_fields")
    result = {name: value for name, value in {**present, **changes}.items() if value is not None}
    if result and len(json.dumps(result)) > MAX_OBJECT_BYTES:
        raise ValidationFailed(Problem("custom_fields", "max_length", _TOO_MANY_FIELDS))
    return result


_TOO_MANY_FIELDS: Final = Text(
    f"Los campos de 'custom_fields' ocuparían en total más de {MAX_OBJECT_BYTES} bytes.",
    f"The fields of 'custom_fields' would take more than {MAX_OBJECT_BYTES} bytes in all.",
)
