"""Databases of their own on the tests' PostgreSQL, at any version of the schema."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url

MakeDatabase = Callable[..., str]


@pytest.fixture
def make_database(installation: Installation) -> Iterator[MakeDatabase]:
    """Makes an empty database, or a copy of one that nobody is connected to, and returns its owner's URL."""
    made: list[str] = []
    with (
        EmbeddedPostgres(Path(os.environ["BIVELIO_TEST_FOLDER"]) / "postgres", fsync=False) as address,
        psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection,
    ):

        def make(template: str = "template1") -> str:
            name = f"migrations_{uuid4().hex[:12]}"
            connection.execute(f'create database "{name}" owner bivelio_owner template "{template.rpartition("/")[2]}"')
            made.append(name)
            return libpq_url(address.owner_url(name))

        yield make
        for name in made:
            connection.execute(f'drop database "{name}" with (force)')
