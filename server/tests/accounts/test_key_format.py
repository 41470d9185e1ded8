"""What a key looks like: a mistyped one is told from a real one without asking the database, and none is stored."""

import random
import re
import string
import zlib

import psycopg
import pytest
from psycopg import sql

from bivelio_server.accounts.api_keys import PREFIXES, generate_key, is_well_formed_key
from bivelio_server.kit.caller import Environment
from tests.accounts.test_key_rotation import ROTATE
from tests.accounts.test_keys import made_key
from tests.permissions.tables import table_names
from tests.world import Client, Organization

pytestmark = pytest.mark.anyio

ATTEMPTS = 1_000_000
BASE62 = string.digits + string.ascii_letters
TO_BASE62 = bytes(ord(BASE62[byte % 62]) for byte in range(256))
KEY = re.compile(r"bv_(?:live|test)_[sp]k_[0-9A-Za-z]{30}")


def test_none_of_a_million_random_and_mistyped_keys_is_looked_up() -> None:
    """Half are random behind a right prefix: one in 2^32 of these passes by chance. Half are keys with one slip of the
    hand, which the checksum always finds."""
    choice = random.Random(23)

    passed = sum(map(is_well_formed_key, (attempt for _ in range(ATTEMPTS // 2) for attempt in two_attempts(choice))))

    assert passed == 0


def two_attempts(choice: random.Random) -> tuple[str, str]:
    number, body = choice.getrandbits(32), choice.randbytes(30).translate(TO_BASE62).decode()
    return PREFIXES[number % len(PREFIXES)] + body, mistyped(KEYS[number % len(KEYS)], number >> 8)


def mistyped(key: str, number: int) -> str:
    """The key with one letter replaced, left out, doubled or exchanged with its neighbour."""
    place, slip = number % (len(key) - 1), number >> 6 & 3
    letter, following = key[place], key[place + 1]
    if slip == 0 or letter == following:
        other = BASE62[(BASE62.find(letter) + 1 + (number >> 8) % 61) % 62]
        return key[:place] + other + key[place + 1 :]
    if slip == 1:
        return key[:place] + key[place + 1 :]
    if slip == 2:
        return key[:place] + letter + key[place:]
    return key[:place] + following + letter + key[place + 2 :]


KEYS = [generate_key("secret", Environment.live).key for _ in range(50)]


def test_a_slip_is_a_slip() -> None:
    assert all(mistyped(key, number) != key for key in KEYS[:5] for number in range(20_000))


def test_the_checksum_is_the_standard_one() -> None:
    key = generate_key("secret", Environment.live).key
    number = 0
    for digit in key[-6:]:
        number = number * 62 + (string.digits + string.ascii_uppercase + string.ascii_lowercase).index(digit)

    assert number == zlib.crc32(key[:-6].encode())


async def test_the_database_holds_no_key(acme: Organization, owner: psycopg.Connection) -> None:
    """Whatever was done here and by the tests before, no table has a key in any column, and none has an API key's
    random part."""
    made = []
    for number, path in enumerate(("/v1/keys/create", ROTATE)):
        client = Client(acme.world.http, acme.live.headers | {"Idempotency-Key": f"keep-{number}"})
        data = {"name": "ERP"} if not made else {"id": made[0]["id"]}
        made.append(await client.call(path, data))
        assert (await client.call(path, data))["key"] == made[-1]["key"]
    made.append(await made_key(acme.live, type="publishable"))

    assert holders(owner, KEY.pattern) == []
    assert [holders(owner, key["key"][11:35]) for key in made] == [[], [], []]


def holders(database: psycopg.Connection, pattern: str) -> list[str]:
    """The tables with a row that matches."""
    query = "select exists (select from {} t where t::text ~ %s)"
    found = []
    for table in table_names(database):
        row = database.execute(sql.SQL(query).format(sql.Identifier(table)), (pattern,)).fetchone()
        if row == (True,):
            found.append(table)
    return found
