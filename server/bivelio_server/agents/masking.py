"""What looks like a secret is not kept: by its name, or by its form."""

import re
from typing import Any, Final

from bivelio_server.kit.logging import masked

MASK: Final = "***"
_SECRET_NAMES: Final = re.compile(
    r"(?:^|[_-])(?:passwords?|contraseñas?|secrets?|token|api[_-]?keys?|authorization|credentials?|cookies?)$",
    re.IGNORECASE,
)


def hidden(value: Any) -> Any:
    """A copy of a JSON value without its secrets."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {str(name): MASK if _SECRET_NAMES.search(str(name)) else hidden(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item) for item in value]
    return value


def storable(value: Any) -> Any:
    """A copy of what a model wrote without the characters that no database keeps."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(str(name)): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value
