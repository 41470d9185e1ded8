"""The shape of a workflow's input."""

from typing import Any

from bivelio_server.kit.errors import ValidationFailed
from bivelio_server.kit.json_schema import checked
from bivelio_server.workflows.definition import Definition


def check_input(definition: Definition, input_: dict[str, Any], path: str = "input") -> dict[str, Any]:
    """The input that a run of this definition takes: the given one with its defaults. Raises ValidationFailed."""
    if definition.input_schema is None:
        return input_
    completed: dict[str, Any]
    completed, problems = checked(definition.input_schema, input_, path)
    if problems:
        raise ValidationFailed(problems)
    return completed
