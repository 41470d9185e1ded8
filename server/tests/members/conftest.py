"""Every test starts with a clean count of attempts, since all come from one address."""

import psycopg
import pytest


@pytest.fixture(autouse=True)
def forgotten_attempts(owner: psycopg.Connection) -> None:
    owner.execute("delete from sign_in_attempts")
