"""Which environment's figures a caller sees: a sandbox credential its own only."""

from typing import Final

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import InsufficientScope
from bivelio_server.kit.text import Text


def visible_environments(context: Context) -> list[str]:
    own = context.caller.environment
    return [own.value] if own is Environment.sandbox else [environment.value for environment in Environment]


def chosen_environment(context: Context, given: str | None) -> str:
    """The caller's own by default. Raises InsufficientScope."""
    environment = given or context.caller.environment.value
    if environment not in visible_environments(context):
        raise InsufficientScope(_SANDBOX_SEES_SANDBOX, details={"field": "environment"})
    return environment


_SANDBOX_SEES_SANDBOX: Final = Text(
    "Una credencial de sandbox solo ve lo que ocurre en sandbox.",
    "A sandbox credential sees the sandbox only.",
)
