"""From a request to the input of a run: the headers that say what happened, the query, the body."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from bivelio_server.kit import idempotency, json
from bivelio_server.kit.charsets import charset_of, decoded
from bivelio_server.kit.errors import Problem, UnsupportedMediaType, ValidationFailed
from bivelio_server.kit.text import Text
from bivelio_server.workflows.instances import DEPTH_HEADER

MAX_FIELDS: Final = 1000
#: Who sends a message again sends one of these again; the first that is there names it.
KEY_HEADERS: Final = ("idempotency-key", "webhook-id", "svix-id", "x-github-delivery")
_KEPT: Final = re.compile(
    r"content-type|user-agent|webhook-(id|timestamp)|svix-(id|timestamp)|idempotency-key"
    r"|x-[a-z0-9-]*(event|topic|delivery|action|kind|type|resource|source|domain|version|hook|id|uuid|timestamp)"
)
_CREDENTIAL: Final = re.compile(r"auth|token|secret|signature|password|credential|session|api-?key|cookie|csrf")
_JSON: Final = re.compile(r"application/(?:[\w.+-]*\+)?json|text/json")
_FORM: Final = "application/x-www-form-urlencoded"
_TEXT: Final = re.compile(r"text/[\w.+-]+|application/(?:[\w.+-]*\+)?xml|")
_MAX_VALUE: Final = 1000


def input_of(headers: Mapping[str, str], query: bytes, body: bytes) -> dict[str, Any]:
    """`{headers, query, body}`. Raises ValidationFailed, UnsupportedMediaType."""
    return {
        "headers": {name: value[:_MAX_VALUE] for name, value in headers.items() if _is_kept(name)},
        "query": _fields(query.decode("latin-1"), "query"),
        "body": _body(headers.get("content-type", ""), body),
    }


def trigger_key(headers: Mapping[str, str]) -> str | None:
    """What names the message, however often it is sent. Raises ValidationFailed."""
    found = next((headers[name] for name in KEY_HEADERS if headers.get(name)), None)
    return None if found is None else f"webhook:{idempotency.require_acceptable(found)}"


def depth_of(headers: Mapping[str, str]) -> int:
    """How many causes lie behind the request, as a workflow that sent it says."""
    given = headers.get(DEPTH_HEADER, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 3 else 0


def _is_kept(name: str) -> bool:
    return _KEPT.fullmatch(name) is not None and _CREDENTIAL.search(name) is None


def _body(content_type: str, body: bytes) -> Any:
    if not body:
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    if _JSON.fullmatch(media_type):
        return _json(body)
    if media_type != _FORM and not _TEXT.fullmatch(media_type):
        raise UnsupportedMediaType(Problem("Content-Type", "one_of", _MEDIA_TYPE))
    text = decoded(body, content_type)
    if text is None:
        raise ValidationFailed(Problem("body", "text", _NO_TEXT.format(charset=charset_of(content_type))))
    return _fields(text, "body") if media_type == _FORM else text


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except json.InvalidJSON as error:
        raise ValidationFailed(Problem("body", "json", error.reason)) from None


def _fields(text: str, where: str) -> dict[str, Any]:
    """A name that comes once has a text, one that comes more often a list."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ValidationFailed(Problem(where, "max_items", _TOO_MANY)) from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(_storable(name), []).append(_storable(value))
    return {name: values[0] if len(values) == 1 else values for name, values in fields.items()}


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    return text.replace("\x00", "\ufffd")


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their names in lower case; of a repeated one the first."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        headers.setdefault(name.lower(), value)
    return headers


_MEDIA_TYPE: Final = Text(
    "El cuerpo debe ser JSON, un formulario (application/x-www-form-urlencoded) o texto, y su Content-Type decirlo.",
    "The body must be JSON, a form (application/x-www-form-urlencoded) or text, and its Content-Type say so.",
)
_NO_TEXT: Final = Text("El cuerpo no es texto en {charset}.", "The body is not text in {charset}.")
_TOO_MANY: Final = Text(f"Hay más de {MAX_FIELDS} campos.", f"There are more than {MAX_FIELDS} fields.")
