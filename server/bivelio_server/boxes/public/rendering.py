"""Errors as the public API tells them: the same tree as everywhere, under the codes of its own family.

B3002  401  no key, or one that does not work
       403  a box that the key does not open; a live key at the sandbox's address
B3107  402  no units left
B3108  429  too many requests
B1004  400, 404 (no such path), 405, 413, 415: what is wrong with the request
B1000  500, 503: not the caller's fault
"""

from dataclasses import dataclass
from typing import Any, Final

from bivelio_server.boxes.units import UnitsExhausted
from bivelio_server.kit.errors import (
    APIError,
    Impossible,
    InsufficientScope,
    NotAuthenticated,
    NotFound,
    TooManyRequests,
    ValidationFailed,
)
from bivelio_server.kit.refusals import Refusal
from bivelio_server.kit.text import Text, negotiate_language

_MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Kind:
    """`status` is the error's own where there is none."""

    code: str
    category: str
    summary: Text
    status: int | None = None


class NoSuchPath(ValidationFailed):
    status = 404


class BoxClosed(InsufficientScope):
    """The same for a box that is not there, one that the person does not see, and one where their role is too small, so
    that no key tells which boxes exist."""

    text = Text(
        "La caja no existe, o el usuario de la clave no es su propietario ni administrador",
        "The box does not exist, or the user of the key is neither owner nor admin of it",
    )


PERMISSIONS: Final = Kind("B3002", "permissions", Text("Usuario no autorizado", "Unauthorized user"))
QUOTA: Final = Kind(
    "B3107", "quota", Text("Unidades de inteligencia insuficientes", "Insufficient intelligence units"), 402
)
LIMITS: Final = Kind("B3108", "limits", Text("Demasiadas peticiones", "Too many requests"))
PARAMETERS: Final = Kind("B1004", "validation", Text("Parámetros no válidos", "Invalid parameters"))
UNKNOWN: Final = Kind("B1000", "unknown", Text("Error desconocido", "Unknown error"))
KINDS: Final = (PERMISSIONS, QUOTA, LIMITS, PARAMETERS, UNKNOWN)
#: The first that fits.
_KINDS: Final[tuple[tuple[tuple[type[APIError], ...], Kind], ...]] = (
    ((NotAuthenticated, InsufficientScope), PERMISSIONS),
    ((UnitsExhausted,), QUOTA),
    ((TooManyRequests,), LIMITS),
    ((Impossible,), Kind(PARAMETERS.code, PARAMETERS.category, PARAMETERS.summary, 400)),
    ((ValidationFailed,), PARAMETERS),
)


def render(error: APIError, accept_language: str | None) -> Refusal:
    """A `Renderer`; in English unless the request asks for Spanish."""
    error = BoxClosed() if isinstance(error, NotFound) else error
    language = negotiate_language(accept_language, "en")
    kind = next((kind for errors, kind in _KINDS if isinstance(error, errors)), UNKNOWN)
    body: dict[str, Any] = {
        "success": False,
        "error": {
            "code": kind.code,
            "category": kind.category,
            "summary": kind.summary.in_language(language),
            "cause": _cause(error).in_language(language),
        },
    }
    return Refusal(kind.status or _status(error, kind), kind.code, language, body)


def _status(error: APIError, kind: Kind) -> int:
    """What goes wrong behind us is not the caller's fault, whatever it is called elsewhere."""
    return max(error.status, 500) if kind is UNKNOWN else error.status


def _cause(error: APIError) -> Text:
    if not isinstance(error, ValidationFailed):
        return error.text
    texts = [problem.text for problem in error.problems[:_MOST_PROBLEMS]]
    return Text(" ".join(text.es for text in texts), " ".join(text.en for text in texts))
