"""What went wrong with an attempt, in words that its owner can act on."""

from typing import Final

from bivelio_server.kit.text import Text

_DIAGNOSES: Final = {
    "dns_failed": Text("El nombre del servidor no se resuelve.", "The server's name does not resolve."),
    "connect_failed": Text("No se puede conectar con el servidor.", "No connection to the server can be made."),
    "tls_failed": Text(
        "No hay conexión segura: el certificado no es válido o no es de ese nombre.",
        "No secure connection: the certificate is not valid, or not for that name.",
    ),
    "connection_lost": Text("La conexión se cortó antes de la respuesta.", "The connection broke before the answer."),
    "timeout": Text("No hubo respuesta en 15 segundos.", "There was no answer within 15 seconds."),
    "protocol_error": Text("Lo que respondió no es HTTP.", "What answered does not speak HTTP."),
    "address_refused": Text(
        "La dirección no es pública, o su puerto no está permitido.",
        "The address is not public, or its port is not allowed.",
    ),
    "url_invalid": Text("La URL no se puede llamar.", "The URL cannot be called."),
    "request_invalid": Text("La petición no se pudo formar.", "The request could not be made."),
    "redirected": Text(
        "Respondió con una redirección, que no se sigue: apunta el webhook a la URL final.",
        "It answered with a redirect, which is not followed: point the webhook at the final URL.",
    ),
    "gone": Text("Respondió 410: ya no quiere mensajes.", "It answered 410: it wants no more messages."),
    "rejected": Text("Respondió con el estado {status}.", "It answered with status {status}."),
    "webhook_deleted": Text(
        "El webhook se borró antes de enviar nada.", "The webhook was deleted before anything was sent."
    ),
    "interrupted": Text(
        "Se interrumpió por un fallo nuestro; no cuenta y se repite.",
        "It was interrupted by a failure of ours; it does not count and is made again.",
    ),
}
_UNKNOWN: Final = Text("El intento falló.", "The attempt failed.")


def diagnosis(outcome: str | None, error: str | None, status: int | None) -> Text | None:
    """None for an attempt that did not fail."""
    code = error or (outcome if outcome == "interrupted" else None)
    return None if code is None else _DIAGNOSES.get(code, _UNKNOWN).format(status=status)
