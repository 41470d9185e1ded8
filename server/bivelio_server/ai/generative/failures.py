"""How asking a provider fails. `details.provider` is what it said, never a key; `details.status` its HTTP status."""

from collections.abc import Mapping
from typing import Any, Final

from bivelio_server.kit.errors import IntegrationFailed, IntegrationRefused
from bivelio_server.kit.text import Text

TIMED_OUT: Final = Text(
    "El modelo de lenguaje no ha respondido a tiempo.", "The language model did not answer in time."
)
BROKEN: Final = Text(
    "La respuesta del modelo de lenguaje se ha interrumpido o no se entiende.",
    "The language model's answer broke off, or makes no sense.",
)
BUSY: Final = Text(
    "El proveedor del modelo de lenguaje no admite más peticiones por ahora.",
    "The provider of the language model takes no more requests for now.",
)
UNFIT: Final = Text(
    "La respuesta del modelo de lenguaje no cumple el esquema pedido.",
    "The language model's answer does not fit the schema that was asked for.",
)


class ProviderFailed(IntegrationFailed):
    """For now. `wait_seconds` is how long the provider asks to be left alone, if it says."""

    text = Text("El proveedor del modelo de lenguaje ha fallado.", "The provider of the language model failed.")

    def __init__(
        self, text: Text | None = None, *, details: Mapping[str, Any], wait_seconds: float | None = None
    ) -> None:
        super().__init__(text, details=details)
        self.wait_seconds = wait_seconds
        self.retry_after = None if wait_seconds is None else max(1, round(wait_seconds))


class ProviderRefused(IntegrationRefused):
    """For good: the key, the model or the request itself is not accepted, or nothing is left of the quota."""

    text = Text(
        "El proveedor del modelo de lenguaje ha rechazado la petición.",
        "The provider of the language model refused the request.",
    )
