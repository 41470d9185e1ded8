"""An import whose server is killed again and again: every row of the file once, none missing."""

import base64
import random
from collections import Counter

import anyio
import psycopg
import pytest

from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of, free_port, until

pytestmark = pytest.mark.anyio

ROWS, BAD_ROWS, KILLS = 5000, 50, 3


async def test_every_row_arrives_once(place: Installation, template: Template) -> None:
    server = await place.serve(port := free_port())
    moments = random.Random(12)
    async with client_of(server, template.live_key) as client:
        data = {"content_base64": base64.b64encode(_file()).decode()}
        job_id = (await client.call("/v1/contacts/import", data))["job_id"]
        with psycopg.connect(place.database(), autocommit=True) as database:
            for _ in range(KILLS):
                before = _rows(database)
                await until(lambda: _rows(database) > before, 60)  # noqa: B023 - awaited in this very round
                await anyio.sleep(moments.uniform(0, 0.1))
                server.kill()
                assert _rows(database) < ROWS, "all was done before the last kill"
                server = await place.serve(port)
            await until(lambda: _has_ended(database), 60)
            job = await client.call("/v1/jobs/get", {"id": job_id})
            emails = Counter(email for (email,) in database.execute("select email from contacts"))
            creations = database.execute(
                "select count(*), count(distinct resource_id) from audit_log where operation = 'contacts.import'"
                " and resource_type = 'contacts'"
            ).fetchone()

    assert job["status"] == "completed", job
    assert emails == {f"persona{n}@ejemplo.com": 1 for n in range(ROWS)}
    assert creations == (ROWS, ROWS)
    assert {name: job["counts"][name] for name in ("rows", "created", "updated", "failed", "errors")} == {
        "rows": ROWS + BAD_ROWS, "created": ROWS, "updated": 0, "failed": BAD_ROWS, "errors": BAD_ROWS,
    }  # fmt: skip
    assert [error["row"] for error in job["errors"]] == [_row_of_bad(n) for n in range(BAD_ROWS)]


def _file() -> bytes:
    """A bad row before every hundredth one."""
    lines = ["name,email"]
    for n in range(ROWS):
        if n % (ROWS // BAD_ROWS) == 0:
            lines.append("Mala,no es un correo")
        lines.append(f"Persona {n},persona{n}@ejemplo.com")
    return "\n".join(lines).encode()


def _row_of_bad(n: int) -> int:
    return 2 + n * (ROWS // BAD_ROWS + 1)


def _has_ended(database: psycopg.Connection) -> bool:
    return database.execute("select from jobs where finished_at is not null").fetchone() is not None


def _rows(database: psycopg.Connection) -> int:
    row = database.execute("select count(*) from contacts").fetchone()
    assert row is not None
    count: int = row[0]
    return count
