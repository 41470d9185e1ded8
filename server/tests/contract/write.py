"""`python -m tests.contract.write`: write `contract/` anew from the code."""

import json
from typing import Any, Final

from bivelio_server.app import FEATURES, openapi_document
from bivelio_server.kit.openapi import ALWAYS
from bivelio_server.kit.operations import Catalogue, Operation
from tests.contract.printed import FOLDER

ADDRESS: Final = "https://api.example.com"


def documents() -> dict[str, str]:
    """The text of every generated file, by name."""
    catalogue = Catalogue(FEATURES)
    return {
        "openapi.json": _text(openapi_document(catalogue, ADDRESS)),
        "operations.json": _text([_row(operation) for operation in catalogue]),
    }


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        (FOLDER / name).write_text(text)


def _row(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.name,
        "path": operation.path,
        "action": operation.action,
        "scope": operation.scope.value,
        "effect": operation.effect.value,
        "irreversible": operation.irreversible,
        "secret_output": operation.secret_output,
        "doors": sorted(door.value for door in operation.doors),
        "errors": sorted({error.code for error in (*ALWAYS, *operation.errors)}),
    }


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
