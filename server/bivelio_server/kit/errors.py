"""Everything this server refuses, once, with its status, code and sentences.

    APIError
    ├── ValidationFailed          400  VALIDATION_ERROR
    │   ├── MethodNotAllowed      405
    │   ├── BodyTooLarge          413
    │   ├── UnsupportedMediaType  415
    │   └── Impossible            422
    ├── NotAuthenticated          401  AUTH_INVALID_TOKEN
    │   └── CredentialsExpired         AUTH_EXPIRED_TOKEN
    ├── InsufficientScope         403  AUTH_INSUFFICIENT_SCOPE
    ├── CreditsExhausted          403  CREDITS_EXHAUSTED
    ├── NotFound                  404  RESOURCE_NOT_FOUND
    ├── Conflict                  409  CONFLICT
    │   ├── StaleVersion
    │   └── AlreadyRunning             WORKFLOW_ALREADY_RUNNING
    ├── TooManyRequests           429  RATE_LIMIT_EXCEEDED
    ├── IntegrationFailed         503  INTEGRATION_ERROR
    │   └── IntegrationRefused    422
    ├── InternalError             500  INTERNAL_ERROR
    └── Unavailable               503

An error carries what a caller needs to mend the request (`details`); HTTP renders it, a workflow run stores it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bivelio_server.kit.text import Language, Text


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the input: `field` is a path (`line_items[0].quantity`)."""

    field: str
    constraint: str
    text: Text

    def render(self, language: Language) -> dict[str, str]:
        return {
            "field": self.field,
            "constraint": self.constraint,
            "message": self.text.in_language(language),
        }


class APIError(Exception):
    """The base of every refusal; subclasses state status, code and default sentence."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    text: Text = Text("Error interno.", "Internal error.")

    def __init__(
        self,
        text: Text | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        self.text = text or type(self).text
        self.details = dict(details or {})
        self.retry_after = retry_after
        super().__init__(self.text.en)

    def render(self, language: Language) -> dict[str, Any]:
        """The `error` object of a reply."""
        rendered: dict[str, Any] = {"code": self.code, "message": self.text.in_language(language)}
        details = self.render_details(language)
        if details:
            rendered["details"] = details
        if self.retry_after is not None:
            rendered["retry_after"] = self.retry_after
        return rendered

    def render_details(self, language: Language) -> dict[str, Any]:  # noqa: ARG002 - subclasses translate
        return self.details


class ValidationFailed(APIError):
    """The request is malformed; `details` describes the first problem, `details.errors` all of them."""

    status = 400
    code = "VALIDATION_ERROR"

    def __init__(self, problems: Sequence[Problem] | Problem) -> None:
        self.problems = [problems] if isinstance(problems, Problem) else list(problems)
        super().__init__(self.problems[0].text)

    def render_details(self, language: Language) -> dict[str, Any]:
        first = self.problems[0]
        return {
            "field": first.field,
            "constraint": first.constraint,
            "errors": [problem.render(language) for problem in self.problems],
        }


def as_stored(error: APIError) -> dict[str, Any]:
    """The error as a row keeps it, for whoever asks later, in either language; `field` is that of the first problem."""
    problem = error.problems[0] if isinstance(error, ValidationFailed) else None
    missing = error.details.get("field") if isinstance(error, NotFound) else None
    return {
        "code": error.code,
        "field": problem.field if problem else missing,
        "constraint": problem.constraint if problem else None,
        "message": {"es": error.text.es, "en": error.text.en},
    }


def null_refused(*fields: str) -> "ValidationFailed":
    """The refusal of `null` where a value must stand."""
    text = Text("El campo '{field}' no puede ser null.", "The field '{field}' cannot be null.")
    return ValidationFailed([Problem(field, "not_null", text.format(field=field)) for field in fields])


class MethodNotAllowed(ValidationFailed):
    """`allow` is the method that is."""

    status = 405
    allow = "POST"


class BodyTooLarge(ValidationFailed):
    status = 413


class UnsupportedMediaType(ValidationFailed):
    status = 415


class Impossible(ValidationFailed):
    """Well-typed input that cannot be: an end before its start, a company that is a person."""

    status = 422


class NotAuthenticated(APIError):
    status = 401
    code = "AUTH_INVALID_TOKEN"
    text = Text("La credencial falta o no es válida.", "The credential is missing or not valid.")


class CredentialsExpired(NotAuthenticated):
    code = "AUTH_EXPIRED_TOKEN"
    text = Text("La credencial ha caducado.", "The credential has expired.")


class InsufficientScope(APIError):
    status = 403
    code = "AUTH_INSUFFICIENT_SCOPE"
    text = Text(
        "La credencial no tiene permiso para esta operación.",
        "The credential may not perform this operation.",
    )


class CreditsExhausted(APIError):
    """The month's credits do not suffice. `details`: what is needed, what is available, when the next month begins."""

    status = 403
    code = "CREDITS_EXHAUSTED"
    text = Text(
        "No quedan créditos suficientes este mes para esta operación.",
        "This month's remaining credits do not suffice for this operation.",
    )


class NotFound(APIError):
    """An absent, malformed or foreign id: always the same reply, so that no stranger learns which ids exist."""

    status = 404
    code = "RESOURCE_NOT_FOUND"
    text = Text("El recurso solicitado no existe.", "The requested resource does not exist.")

    def __init__(self, field: str | None = None) -> None:
        super().__init__(details={"field": field} if field else None)


class Conflict(APIError):
    status = 409
    code = "CONFLICT"
    text = Text("El estado del recurso no lo permite.", "The state of the resource does not allow it.")


class StaleVersion(Conflict):
    text = Text(
        "El recurso ha cambiado desde la versión indicada en if_version.",
        "The resource has changed since the version given in if_version.",
    )


class AlreadyRunning(Conflict):
    code = "WORKFLOW_ALREADY_RUNNING"
    text = Text("El workflow ya tiene una instancia en ejecución.", "The workflow already has a running instance.")


class TooManyRequests(APIError):
    status = 429
    code = "RATE_LIMIT_EXCEEDED"
    text = Text("Demasiados intentos; espera un momento.", "Too many attempts; wait a moment.")


class IntegrationFailed(APIError):
    """An outside service failed for now; the same call may succeed later."""

    status = 503
    code = "INTEGRATION_ERROR"
    text = Text("El servicio externo no ha respondido bien.", "The outside service did not respond well.")
    retryable: ClassVar[bool] = True

    def __init__(self, text: Text | None = None, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(text, details={"retryable": self.retryable, **(details or {})})


class IntegrationRefused(IntegrationFailed):
    """An outside service refused for good."""

    status = 422
    retryable = False


class Interrupted(IntegrationFailed):
    """A call to the outside broke off at our end: by a defect, as the process stops, or as its time was over. Recorded
    as what became of the call; whoever asked is told what it was."""

    status = 500
    code = "INTERNAL_ERROR"
    text = Text(
        "El servidor interrumpió la llamada antes de que terminara.", "The server broke the call off before its end."
    )


class InternalError(APIError):
    text = Text("Error interno inesperado.", "Unexpected internal error.")


class Unavailable(InternalError):
    status = 503
    text = Text(
        "El servicio no está disponible ahora; inténtalo en unos segundos.",
        "The service is not available right now; try again in a few seconds.",
    )

    def __init__(self) -> None:
        super().__init__(retry_after=5)
