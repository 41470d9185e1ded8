"""How a part of the API tells of an error: its own shape, codes and usual language, of the one tree in `errors.py`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from bivelio_server.kit.errors import APIError
from bivelio_server.kit.text import Language


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reply to a request that failed; `code` is the one that its body tells."""

    status: int
    code: str
    language: Language
    body: dict[str, Any]


#: From an error and the request's Accept-Language. A request's own is in `request.state.refuse`.
Renderer: TypeAlias = Callable[[APIError, str | None], Refusal]
