"""From a rendered `http_request` to the bytes that are sent, and from the answer to what the step gives."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode

from bivelio_server.kit import json
from bivelio_server.kit.charsets import decoded
from bivelio_server.kit.errors import Impossible, IntegrationFailed, IntegrationRefused, Problem
from bivelio_server.kit.http import OutgoingError, OutgoingResponse
from bivelio_server.kit.text import Text
from bivelio_server.workflows.vault.masking import Masking

_BODILESS: Final = frozenset({"GET", "HEAD"})
_MAX_REDIRECTS: Final = 5
_LINE: Final = re.compile(r"[\t\x20-\x7e]*")
_CREDENTIAL: Final = re.compile(
    r"cookie|auth(?!or\b)|token|secret|signature|password|credential|session|api-?key|csrf|xsrf"
)
_JSON: Final = re.compile(r"application/(?:[\w.+-]*\+)?json|text/json")
_PASSING: Final = frozenset({408, 425, 429})
_EXCERPT: Final = 2000


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def outgoing(request: Mapping[str, Any], *, key: str, own_headers: Mapping[str, str]) -> Outgoing:
    """Raises Impossible. `key` is sent with whatever may change something, unless the author gives one."""
    method, content_type, content = request["method"], None, None
    if "json" in request:
        content_type, content = "application/json", json.dumps(request["json"])
    elif "body" in request:
        content_type, content = "text/plain; charset=utf-8", _written(request["body"]).encode()
    headers = {**own_headers, **({"content-type": content_type} if content_type else {})}
    if method not in _BODILESS:
        headers["idempotency-key"] = key
    headers |= _headers(request.get("headers", {}))
    if request.get("basic_auth") is not None:
        headers["authorization"] = _basic(request["basic_auth"])
    return Outgoing(method, _url(request["url"], request.get("query", {})), headers, content)


def redirects(accepted: list[int], *, body_is_secret: bool) -> int:
    """How many to follow. A 307 sends the body on to wherever the other side says, which a secret must not go."""
    return 0 if body_is_secret or any(300 <= status < 400 for status in accepted) else _MAX_REDIRECTS


def failure_of(error: OutgoingError) -> IntegrationFailed:
    """What no answer means for the step. The error's own message is not told: it may name what was secret."""
    kind = IntegrationFailed if error.retryable else IntegrationRefused
    return kind(_NO_ANSWERS.get(error.code, _NO_ANSWER).format(reason=error.code), details={"reason": error.code})


def output_of(response: OutgoingResponse, masking: Masking, *, accepted: list[int], now: datetime) -> dict[str, Any]:
    """`{status, headers, body}`, masked. Raises IntegrationFailed, IntegrationRefused."""
    if not (200 <= response.status < 300 or response.status in accepted):
        raise _refusal(response, masking, now)
    if response.truncated:
        raise IntegrationRefused(_TOO_LONG.format(most=len(response.body)), details={"reason": "too_long"})
    output = {"status": response.status, "headers": _shown(response.headers), "body": _body(response)}
    return {**masking.value(output), "status": response.status}


def _refusal(response: OutgoingResponse, masking: Masking, now: datetime) -> IntegrationFailed:
    passes = response.status in _PASSING or response.status >= 500
    kind = IntegrationFailed if passes else IntegrationRefused
    text = decoded(response.body, response.headers.get("content-type", ""), cut=True) or ""
    details = {"reason": "status", "status": response.status, "reply": masking.text(text)[:_EXCERPT]}
    error = kind(_STATUS.format(status=response.status), details=details)
    wish = response.retry_after(now) if passes else None
    if wish is not None and wish.total_seconds() > 0:
        error.retry_after = round(wish.total_seconds())
    return error


def _body(response: OutgoingResponse) -> Any:
    if not response.body:
        return None
    content_type = response.headers.get("content-type", "")
    text = decoded(response.body, content_type)
    if text is None:
        raise IntegrationRefused(_BINARY, details={"reason": "binary"})
    if _JSON.fullmatch(content_type.partition(";")[0].strip().lower()):
        try:
            return json.loads(response.body)
        except json.InvalidJSON:
            return text
    return text


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    """Without what opens doors."""
    return {
        name: value.replace("\x00", "\ufffd") for name, value in headers.items() if _CREDENTIAL.search(name) is None
    }


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for name, value in given.items():
        if value is None:
            continue
        text = _as_text(value, f"http_request.headers.{name}")
        if not _LINE.fullmatch(text):
            raise Impossible(Problem(f"http_request.headers.{name}", "header", _NO_LINE.format(name=name)))
        headers[name.lower()] = text
    return headers


def _basic(given: Mapping[str, Any]) -> str:
    pair = [_as_text(given[name], f"http_request.basic_auth.{name}") for name in ("username", "password")]
    return f"Basic {base64.b64encode(':'.join(pair).encode()).decode()}"


def _url(url: Any, query: Mapping[str, Any]) -> str:
    """The URL with its query; a list is a parameter for each of its items, null is none."""
    whole = _as_text(url, "http_request.url").partition("#")[0]
    pairs = [
        (name, _as_text(item, f"http_request.query.{name}"))
        for name, value in query.items()
        for item in (value if isinstance(value, list) else [value])
        if item is not None
    ]
    if not pairs:
        return whole
    return f"{whole}{'&' if '?' in whole else '?'}{urlencode(pairs, quote_via=quote)}"


def _as_text(value: Any, field: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | Decimal):
        return format(value, "f") if isinstance(value, Decimal) else str(value)
    raise Impossible(Problem(field, "string", _NO_TEXT.format(field=field)))


def _written(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value).decode()


_NO_ANSWER: Final = Text("La llamada no obtuvo respuesta ({reason}).", "The call got no answer ({reason}).")
_NO_ANSWERS: Final = {
    "url_invalid": Text(
        "La dirección a la que llamar no es una URL http o https completa.",
        "The address to call is no complete http or https URL.",
    ),
    "request_invalid": Text(
        "El método o una cabecera de la llamada no se puede enviar.", "The method or a header cannot be sent."
    ),
    "address_refused": Text(
        "Este servidor no llama a direcciones privadas; quien lo administra puede permitirlas"
        " (BIVELIO_PRIVATE_NETWORKS).",
        "This server does not call private addresses; who runs it may allow them (BIVELIO_PRIVATE_NETWORKS).",
    ),
    "dns_failed": Text(
        "No existe, o no se encuentra, el servidor al que llamar.", "The server to call does not exist or is not found."
    ),
    "connect_failed": Text("El otro servidor no acepta la conexión.", "The other server accepts no connection."),
    "tls_failed": Text(
        "No hay conexión segura con el otro servidor, o su certificado no es de fiar.",
        "There is no secure connection to the other server, or its certificate is not trusted.",
    ),
    "connection_lost": Text(
        "La conexión se cortó antes de la respuesta; la llamada pudo llegar.",
        "The connection broke before the reply; the call may have arrived.",
    ),
    "timeout": Text(
        "El otro servidor no respondió a tiempo; la llamada pudo llegar.",
        "The other server did not answer in time; the call may have arrived.",
    ),
}
_STATUS: Final = Text("El servicio respondió {status}.", "The service answered {status}.")
_TOO_LONG: Final = Text("La respuesta ocupa más de {most} bytes.", "The reply takes more than {most} bytes.")
_BINARY: Final = Text(
    "La respuesta no es texto: un paso http_request no guarda contenido binario.",
    "The reply is not text: an http_request step keeps no binary content.",
)
_NO_LINE: Final = Text(
    "La cabecera '{name}' solo admite caracteres ASCII imprimibles en una línea.",
    "The header '{name}' takes printable ASCII characters on one line only.",
)
_NO_TEXT: Final = Text(
    "El campo '{field}' debe dar un texto, un número o true/false.",
    "The field '{field}' must give a text, a number or true/false.",
)
