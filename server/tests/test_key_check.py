"""A wrong key is found before anything is served."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from bivelio_server.installation import Installation, InstallationError, prepare, require_prepared, serving_url
from bivelio_server.key_check import sealed_columns
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from bivelio_server.kit.secrets import SecretKey

OLD, NEW, WRONG = "o" * 32, "n" * 32, "w" * 32


@pytest.fixture
def place(installation: Installation) -> Iterator[Installation]:
    """A database of its own, prepared with the old key."""
    name = f"keys_{uuid4().hex[:8]}"
    with EmbeddedPostgres(Path(os.environ["BIVELIO_TEST_FOLDER"]) / "postgres", fsync=False) as address:
        with psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection:
            connection.execute(f'create database "{name}" owner bivelio_owner')
        place = replace(installation, owner_url=libpq_url(address.owner_url(name)))
        prepare(with_keys(place, OLD))
        yield place
        with psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection:
            connection.execute(f'drop database "{name}" with (force)')


def with_keys(place: Installation, present: str, *previous: str) -> Installation:
    key = SecretKey(present, previous)
    return replace(place, secret_key=key, serving_url=serving_url(place.owner_url, key))


def test_the_right_key_serves(place: Installation) -> None:
    require_prepared(with_keys(place, OLD))


@pytest.mark.parametrize("act", [prepare, require_prepared])
def test_a_wrong_key_neither_serves_nor_migrates(place: Installation, act) -> None:
    with pytest.raises(InstallationError, match="is not the one of this database"):
        act(with_keys(place, WRONG))


def test_a_new_key_needs_the_old_one_to_be_let_in(place: Installation) -> None:
    with pytest.raises(InstallationError, match="run `bivelio-server migrate`"):
        require_prepared(with_keys(place, NEW, OLD))
    prepare(with_keys(place, NEW, OLD))

    require_prepared(with_keys(place, NEW, OLD))
    require_prepared(with_keys(place, OLD, NEW))
    with pytest.raises(InstallationError, match="BIVELIO_PREVIOUS_SECRET_KEYS"):
        require_prepared(with_keys(place, OLD))
    with pytest.raises(InstallationError, match="rotate-key --finish"):
        require_prepared(with_keys(place, NEW))


def test_a_database_that_knows_no_key_yet_is_asked_for_what_it_holds(place: Installation) -> None:
    with psycopg.connect(place.owner_url, autocommit=True) as owner:
        owner.execute("delete from installation_keys")
        owner.execute(
            "with org as (insert into organizations (id, name, plan, created_at)"
            " values (gen_random_uuid(), 'Acme', 'pro', now()) returning id)"
            " insert into webhook_endpoints (org_id, environment, id, url, events, status, signing_secret, version,"
            " disable_policy, payload_version, created_at, updated_at)"
            " select id, 'live', 'wh_1', 'https://example.com', '{}', 'active', '\\x01', 1, 'attempts', '', now(),"
            " now() from org"
        )

    with pytest.raises(InstallationError, match="does not open"):
        prepare(with_keys(place, OLD))


#: Bytes that are no sealed secret.
PLAIN_BYTES = {
    ("api_keys", "digest"),
    ("refresh_tokens", "digest"),
    ("idempotency_keys", "digest"),
    ("invitations", "digest"),
    ("recovery_codes", "digest"),
    ("sign_in_codes", "digest"),
    ("installation_keys", "sealed"),
    ("job_file_pieces", "content"),
    ("box_keys", "digest"),
    ("box_chunks", "digest"),
    ("box_vectors", "digest"),
    ("box_vectors", "vector"),
    ("box_segments", "vectors"),
    ("box_segments", "terms"),
}


def test_every_column_of_sealed_secrets_is_known_to_the_rotation(owner: psycopg.Connection) -> None:
    rows = owner.execute(
        "select table_name, column_name from information_schema.columns join information_schema.tables"
        " using (table_schema, table_name)"
        " where table_schema = 'public' and data_type = 'bytea' and table_type = 'BASE TABLE'"
    ).fetchall()

    assert set(rows) - {(one.table, one.column) for one in sealed_columns(owner)} == PLAIN_BYTES
