"""The committed contract is what the code says; `make contract` writes it."""

import pytest

from tests.contract.printed import FOLDER
from tests.contract.write import documents


@pytest.mark.parametrize("name", documents())
def test_the_contract_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == documents()[name], "run `make contract`"
