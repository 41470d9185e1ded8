"""Where a definition names secrets."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from bivelio_server.kit.validation import field_path
from bivelio_server.workflows.definition import Definition, HttpRequest, HttpRequestStep, walk
from bivelio_server.workflows.expressions import references_of

#: What secrets are called in expressions.
ROOT: Final = "secrets"


class SecretText(NamedTuple):
    """A text that names secrets; `keys` lead to it in the object that holds it."""

    keys: tuple[str | int, ...]
    text: str
    names: frozenset[str]

    def path(self, within: str) -> str:
        return field_path([within, *self.keys])

    def put(self, value: Any, rendered: Any) -> None:
        """Where the text stood in a copy of the object."""
        *way, last = self.keys
        for key in way:
            value = value[key]
        value[last] = rendered


def as_given(request: HttpRequest) -> dict[str, Any]:
    """The members that were given, and the method."""
    return {"method": request.method, **request.model_dump(exclude_unset=True)}


def secret_texts(value: Any, keys: tuple[str | int, ...] = ()) -> Iterator[SecretText]:
    """Every text inside a JSON value that names secrets. Raises ExpressionError."""
    if isinstance(value, str):
        names = secret_names(value)
        if names:
            yield SecretText(keys, value, names)
    elif isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from secret_texts(member, (*keys, key))


def secret_names(text: str) -> frozenset[str]:
    return frozenset(path[1] for path in references_of(text) if path[0] == ROOT and len(path) > 1)


def named_secrets(definition: Definition) -> Iterator[tuple[str, str]]:
    """Every secret that a definition names, each with the place."""
    for path, step in walk(definition):
        if isinstance(step, HttpRequestStep):
            for text in secret_texts(as_given(step.http_request)):
                for name in sorted(text.names):
                    yield text.path(f"{path}.http_request"), name
