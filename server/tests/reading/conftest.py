import pytest

from bivelio_server.reading.process import ChildReader


@pytest.fixture
def reader() -> ChildReader:
    """Without OCR, as most files are read."""
    return ChildReader("off")
