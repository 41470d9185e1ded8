"""One provisioned data folder, made once; tests work on copies of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.installation import LEASE_SECONDS, Installation, fresh_installation


@dataclass(frozen=True)
class Template:
    data: Path
    live_key: str
    test_key: str
    publishable_key: str


@pytest.fixture(scope="session")
def template() -> Iterator[Template]:
    with fresh_installation() as place:
        keys = place.provision()["keys"]
        yield Template(place.data, keys["live_secret"], keys["test_secret"], keys["live_publishable"])


@pytest.fixture
def place(template: Template) -> Iterator[Installation]:
    """An installation with one organisation, whose processes hold a run for a short time only."""
    with fresh_installation(template.data, BIVELIO_LEASE_SECONDS=str(LEASE_SECONDS)) as place:
        yield place
