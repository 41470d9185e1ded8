"""`python -m tests.contract.compare_with_main [BASE]`: refuse a break of the contract that no new version declares.

The contract in the tree is compared with that of main: where the branch left it, or, on main itself, with the commit
before. A revision may be given instead. Outside git there is nothing to compare with.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tests.contract.compatible import undeclared_breaks
from tests.contract.printed import FOLDER

_FILES: Final = ("openapi.json", "operations.json")
_MAINS: Final = ("origin/main", "main")


def main(arguments: list[str]) -> int:
    """The exit status: 1 when something is broken."""
    base = arguments[0] if arguments else baseline(FOLDER)
    old = [contract_at(FOLDER, base, name) for name in _FILES] if base else [None]
    if None in old:
        _say(f"There is no contract at {base}." if arguments else "No earlier contract: nothing can be broken.")
        return len(arguments)
    new = [json.loads((FOLDER / name).read_text()) for name in _FILES]
    breaks = undeclared_breaks(old[0], new[0], old[1], new[1])
    if not breaks:
        _say(f"The contract breaks nothing of {base}'s.")
        return 0
    for one in breaks:
        _say(str(one))
    _say(f"The contract breaks {len(breaks)} promises of {base}'s: declare a VersionChange, as docs/versions.md says.")
    return 1


def baseline(folder: Path) -> str | None:
    """The revision whose contract callers rely on; none outside git, or when there is nothing but the first commit."""
    head = _git(folder, "rev-parse", "HEAD")
    for name in _MAINS:
        base = _git(folder, "merge-base", "HEAD", name)
        if base is not None and base != head:
            return base[:12]
    before = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD~1")
    return None if before is None else before[:12]


def contract_at(folder: Path, revision: str, name: str) -> Any:
    """A file of the contract as it was; none when it was not there."""
    text = _git(folder, "show", f"{revision}:./{name}")
    return None if text is None else json.loads(text)


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; none when it refuses or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
