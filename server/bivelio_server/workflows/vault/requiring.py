"""An active workflow names only secrets that exist; a draft may be written before them."""

from itertools import islice
from typing import Final

from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.text import Text
from bivelio_server.kit.validation import MAX_PROBLEMS
from bivelio_server.workflows.definition import Definition
from bivelio_server.workflows.vault import queries
from bivelio_server.workflows.vault.references import named_secrets


async def require_secrets(context: Context, definition: Definition, within: str = "") -> None:
    """Raises ValidationFailed with the place of each that does not exist; `within` is put before it."""
    named = list(named_secrets(definition))
    if not named:
        return
    known = {row.name for row in await queries.named(context, {name for _, name in named})}
    before = f"{within}." if within else ""
    problems = (unknown_secret(f"{before}{path}", name) for path, name in named if name not in known)
    found = list(islice(problems, MAX_PROBLEMS))
    if found:
        raise ValidationFailed(found)


def unknown_secret(path: str, name: str) -> Problem:
    return Problem(path, "reference", _UNKNOWN.format(name=name))


_UNKNOWN: Final = Text(
    "No hay ningún secreto {name}: guárdalo con workflows.set_secret.",
    "There is no secret {name}: keep it with workflows.set_secret.",
)
