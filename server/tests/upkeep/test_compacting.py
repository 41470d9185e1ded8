"""After much was removed at once, the operating system gets its room back."""

from collections.abc import Iterator

import psycopg
import pytest

from bivelio_server.installation import Installation
from bivelio_server.upkeep import compacting
from bivelio_server.upkeep.compacting import compact


@pytest.fixture
def crowded(owner: psycopg.Connection) -> Iterator[str]:
    """A table of which one row in twenty is left."""
    owner.execute("create table crowded (id int primary key, filler text)")
    owner.execute("insert into crowded select n, repeat('x', 200) from generate_series(1, 100000) n")
    owner.execute("delete from crowded where id % 20 <> 0")
    owner.execute("vacuum (analyze) crowded")
    yield "crowded"
    owner.execute("drop table crowded")


def size(owner: psycopg.Connection, table: str) -> int:
    row = owner.execute("select pg_total_relation_size(%s::regclass)", (table,)).fetchone()
    assert row is not None
    return int(row[0])


def test_room_is_given_back(installation: Installation, owner: psycopg.Connection, crowded: str) -> None:
    before, told = size(owner, crowded), list[str]()

    compact(installation, told.append)
    again: list[str] = []
    compact(installation, again.append)

    assert size(owner, crowded) < before / 10
    assert any(line.startswith("crowded: ") for line in told)
    assert again == ["0 MiB are free again."]


def test_a_table_in_use_is_left_alone(
    installation: Installation, owner: psycopg.Connection, crowded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compacting, "_LOCK_SECONDS", 0.1)
    before, told = size(owner, crowded), list[str]()

    with psycopg.connect(installation.owner_url) as busy:
        busy.execute("select 1 from crowded limit 1")
        compact(installation, told.append)

    assert size(owner, crowded) == before
    assert "crowded: in use, left as it is" in told
