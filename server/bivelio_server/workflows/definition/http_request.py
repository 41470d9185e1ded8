"""The request that an `http_request` step sends."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bivelio_server.kit.http import RequestInvalid, UrlInvalid, check_header_name, check_url_form
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import FieldError
from bivelio_server.workflows.definition.parts import Part


def _callable(url: str) -> str:
    """What an expression makes of it is judged when it is called."""
    if "{{" not in url:
        try:
            check_url_form(url)
        except UrlInvalid:
            raise FieldError("url", _NOT_A_URL) from None
    return url


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    for name in headers:
        try:
            check_header_name(name)
        except RequestInvalid:
            raise FieldError("header", _NOT_A_HEADER.format(field="{field}", name=name[:60])) from None
    if len({name.lower() for name in headers}) < len(headers):
        raise FieldError("unique_items", _REPEATED)
    return headers


class BasicAuth(Part):
    """Sent as `Authorization: Basic`."""

    username: str = Field(max_length=1000)
    password: str = Field(max_length=1000, examples=["{{ secrets.ERP_PASSWORD }}"])


class HttpRequest(Part):
    """A request to the outside. What is not 2xx fails the step, unless its status is among `accept_statuses`.

    Every text may hold expressions, which may name `secrets` here. `json` is sent as JSON, `body` as it is.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"] = "GET"
    url: Annotated[
        str,
        Field(min_length=1, max_length=4096, examples=["https://api.example.com/orders"]),
        AfterValidator(_callable),
    ]
    query: dict[str, Any] = Field(default={}, max_length=50)
    headers: Annotated[dict[str, str], AfterValidator(_sendable)] = Field(default={}, max_length=50)
    basic_auth: BasicAuth | None = None
    json_: Any = Field(None, alias="json")
    body: str | None = Field(None, max_length=65_536)
    accept_statuses: list[Annotated[int, Field(ge=300, le=599)]] = Field(default=[], max_length=20)

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        sent = [name for name in ("json_", "body") if name in self.model_fields_set]
        if len(sent) > 1:
            raise FieldError("exclusive", _TWO_BODIES)
        if sent and self.method in ("GET", "HEAD"):
            raise FieldError("exclusive", _NO_BODY.format(field="{field}", method=self.method))
        if self.basic_auth is not None and any(name.lower() == "authorization" for name in self.headers):
            raise FieldError("exclusive", _TWO_CREDENTIALS)
        return self


_NOT_A_URL: Final = Text(
    "El campo '{field}' debe ser una URL http o https completa, sin usuario ni contraseña.",
    "The field '{field}' must be a complete http or https URL, without user or password.",
)
_NOT_A_HEADER: Final = Text(
    "El campo '{field}' no admite la cabecera '{name}': no es un nombre válido, o la pone el servidor.",
    "The field '{field}' does not take the header '{name}': it is not a valid name, or the server sets it.",
)
_REPEATED: Final = Text("El campo '{field}' repite una cabecera.", "The field '{field}' repeats a header.")
_TWO_BODIES: Final = Text(
    "El campo '{field}' indica 'json' o 'body', no ambos.", "The field '{field}' states 'json' or 'body', not both."
)
_NO_BODY: Final = Text(
    "El campo '{field}' no puede llevar 'json' ni 'body' con el método {method}.",
    "The field '{field}' cannot have 'json' or 'body' with the method {method}.",
)
_TWO_CREDENTIALS: Final = Text(
    "El campo '{field}' indica 'basic_auth' o la cabecera Authorization, no ambas.",
    "The field '{field}' states 'basic_auth' or the header Authorization, not both.",
)
