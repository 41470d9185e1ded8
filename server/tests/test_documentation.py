"""The README keeps up with the code."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bivelio_server.settings import Settings

README = Path(__file__).parents[2] / "README.md"


def rows_of_settings() -> Iterator[str]:
    """The README's table of settings, as it should be."""
    for name, field in Settings.model_fields.items():
        default = f"`{field.default}`" if field.default not in (None, ()) else "none"
        yield f"| `BIVELIO_{name.upper()}` | {default} | {field.description} |"


@pytest.mark.parametrize("row", list(rows_of_settings()))
def test_every_setting_is_in_the_readme(row: str) -> None:
    assert row in README.read_text().splitlines()
