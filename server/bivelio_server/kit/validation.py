"""From a pydantic error to problems that a person can act on, in Spanish and English."""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.text import Text

MAX_PROBLEMS: Final = 50
MAX_FIELD_LENGTH: Final = 200

# pydantic's error type -> our constraint and sentence; `{field}` is the path, the rest comes from the error's context.
_RULES: Final[dict[str, tuple[str, Text]]] = {
    "missing": ("required", Text("El campo '{field}' es obligatorio.", "The field '{field}' is required.")),
    "extra_forbidden": ("unknown_field", Text("El campo '{field}' no existe.", "The field '{field}' does not exist.")),
    "string_type": ("string", Text("El campo '{field}' debe ser un texto.", "The field '{field}' must be a string.")),
    "int_type": ("integer", Text("El campo '{field}' debe ser un entero.", "The field '{field}' must be an integer.")),
    "bool_type": ("boolean", Text("El campo '{field}' debe ser true o false.", "The field '{field}' must be true or false.")),
    "list_type": ("array", Text("El campo '{field}' debe ser una lista.", "The field '{field}' must be an array.")),
    "dict_type": ("object", Text("El campo '{field}' debe ser un objeto.", "The field '{field}' must be an object.")),
    "model_type": ("object", Text("El campo '{field}' debe ser un objeto.", "The field '{field}' must be an object.")),
    "decimal_type": ("number", Text("El campo '{field}' debe ser un número.", "The field '{field}' must be a number.")),
    "literal_error": ("one_of", Text("El campo '{field}' debe ser uno de: {expected}.", "The field '{field}' must be one of: {expected}.")),
    "enum": ("one_of", Text("El campo '{field}' debe ser uno de: {expected}.", "The field '{field}' must be one of: {expected}.")),
    "string_too_short": ("min_length", Text("El campo '{field}' debe tener al menos {min_length} caracteres.", "The field '{field}' must have at least {min_length} characters.")),
    "string_too_long": ("max_length", Text("El campo '{field}' admite como máximo {max_length} caracteres.", "The field '{field}' takes at most {max_length} characters.")),
    "string_pattern_mismatch": ("pattern", Text("El campo '{field}' no tiene la forma {pattern}.", "The field '{field}' does not match {pattern}.")),
    "too_short": ("min_items", Text("El campo '{field}' debe tener al menos {min_length} elementos.", "The field '{field}' must have at least {min_length} items.")),
    "too_long": ("max_items", Text("El campo '{field}' admite como máximo {max_length} elementos.", "The field '{field}' takes at most {max_length} items.")),
    "greater_than_equal": ("minimum", Text("El campo '{field}' debe ser {ge} o más.", "The field '{field}' must be {ge} or more.")),
    "less_than_equal": ("maximum", Text("El campo '{field}' debe ser {le} o menos.", "The field '{field}' must be {le} or less.")),
    "greater_than": ("minimum", Text("El campo '{field}' debe ser mayor que {gt}.", "The field '{field}' must be more than {gt}.")),
    "less_than": ("maximum", Text("El campo '{field}' debe ser menor que {lt}.", "The field '{field}' must be less than {lt}.")),
    "union_tag_not_found": ("required", Text("El campo '{field}' debe indicar {discriminator}.", "The field '{field}' must state {discriminator}.")),
    "union_tag_invalid": ("one_of", Text("El campo '{field}' debe ser uno de: {expected_tags}.", "The field '{field}' must be one of: {expected_tags}.")),
    "trigger_kind": ("one_of", Text("El campo '{field}' debe tener un 'type': manual, event, cron, webhook.", "The field '{field}' must have a 'type': manual, event, cron, webhook.")),
    "step_kind": ("one_of", Text("El paso '{field}' debe tener una sola de estas palabras: uses, if, switch, parallel, for_each, while, wait, wait_for_event, approval, http_request, run_workflow, set, stop.", "The step '{field}' must have exactly one of: uses, if, switch, parallel, for_each, while, wait, wait_for_event, approval, http_request, run_workflow, set, stop.")),
}  # fmt: skip
# What patterns mean, for people; others are told as they are.
_PATTERNS: Final[dict[str, Text]] = {
    "^[a-z][a-z0-9_]*$": Text("El campo '{field}' lleva letras minúsculas sin acentos, cifras y '_', y empieza por una letra.", "The field '{field}' takes small letters without accents, digits and '_', and begins with a letter."),
    "^[A-Z][A-Z0-9_]*$": Text("El campo '{field}' lleva letras mayúsculas sin acentos, cifras y '_', y empieza por una letra.", "The field '{field}' takes capital letters without accents, digits and '_', and begins with a letter."),
}  # fmt: skip
_EMPTY: Final = Text("El campo '{field}' no puede estar vacío.", "The field '{field}' must not be empty.")
_OTHERWISE: Final = Text("El campo '{field}' no es válido.", "The field '{field}' is not valid.")


class FieldError(ValueError):
    """Raised by our own validators: a constraint and its sentence (`{field}` is filled in by the renderer)."""

    def __init__(self, constraint: str, text: Text) -> None:
        super().__init__(text.en)
        self.constraint = constraint
        self.text = text


def validation_failed(error: ValidationError, *, within: str = "", whole: str = "data") -> ValidationFailed:
    """Our refusal for a pydantic error; `within` is put before every path, `whole` names the input itself."""
    found = error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]
    return ValidationFailed([_problem(item, within, whole) for item in found])


def field_path(location: Sequence[int | str]) -> str:
    """`("line_items", 0, "quantity")` as `line_items[0].quantity`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _is_mark(part: int | str) -> bool:
    """Marks are in the location but not in the path: `[key]`, and the tags of our unions, written `<tag>`."""
    return isinstance(part, str) and (part == "[key]" or part.startswith("<"))


def _problem(item: ErrorDetails, within: str, whole: str) -> Problem:
    path = field_path(([within] if within else []) + [part for part in item["loc"] if not _is_mark(part)])
    context: dict[str, Any] = item.get("ctx", {})
    if "expected" in context:
        context["expected"] = context["expected"].replace(" or ", ", ")
    raised = context.get("error")
    if isinstance(raised, FieldError):
        constraint, text = raised.constraint, raised.text
    else:
        constraint, text = _RULES.get(item["type"], (item["type"], _OTHERWISE))
        if context.get("min_length") == 1:
            text = _EMPTY
        text = _PATTERNS.get(context.get("pattern", ""), text)
    shown = path[:MAX_FIELD_LENGTH] or whole
    return Problem(shown, constraint, text.format(**{**context, "field": shown}))
