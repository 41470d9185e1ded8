"""`python -m tests.observability.write`: write the guide's table of metrics anew from the code."""

from pathlib import Path
from typing import Final

from bivelio_server.serving import serve
from tests.observability.scrape import declared

GUIDE: Final = Path(__file__).parents[3] / "docs" / "observability.md"
HEAD: Final = "| Metric | Kind | Labels | |\n|---|---|---|---|\n"
#: Whatever a process counts is declared by now.
assert serve


def table() -> str:
    """Every metric of ours: name, kind, labels, what it tells."""
    return HEAD + "".join(
        f"| `{name}` | {kind} | {', '.join(labels) or '–'} | {text} |\n"
        for name, (kind, labels, text) in sorted(declared().items())
    )


def written(guide: str) -> str:
    """The guide with its table as it should be."""
    before, _, after = guide.partition(HEAD)
    return before + table() + after[after.index("\n\n") + 1 :]


if __name__ == "__main__":
    GUIDE.write_text(written(GUIDE.read_text()))
