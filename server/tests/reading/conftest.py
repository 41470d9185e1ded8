from collections.abc import Callable

import psutil
import pytest

from bivelio_server.reading.process import ChildReader

#: The children that the test has left so far: dead ones too, as long as nobody has waited for them.
Children = Callable[[], list[psutil.Process]]


@pytest.fixture
def reader() -> ChildReader:
    """Without OCR, as most files are read."""
    return ChildReader("off")


@pytest.fixture
def children() -> Children:
    before = psutil.Process().children()
    return lambda: [each for each in psutil.Process().children() if each not in before]
