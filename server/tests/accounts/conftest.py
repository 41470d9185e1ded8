"""Sign-in counts attempts per address, and all tests come from one: every test starts with a clean count."""

import psycopg
import pytest


@pytest.fixture(autouse=True)
def forgotten_attempts(owner: psycopg.Connection) -> None:
    owner.execute("delete from sign_in_attempts")
