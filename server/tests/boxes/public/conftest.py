"""A search that is scripted, in the place of the real one."""

import pytest

from bivelio_server.boxes.retrieval import searching
from tests.boxes.public.arranging import Scripted


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    script = Scripted()
    for name in ("prepare", "embed", "search", "full_documents"):
        monkeypatch.setattr(searching, name, getattr(script, name))
    return script
