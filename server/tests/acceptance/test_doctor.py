"""The doctor says what is wrong, and what to do."""

import json
import socket
from typing import Any

import psycopg
import pytest

from bivelio_server.migrations import newest_version
from tests.acceptance.installation import Installation, fresh_installation

pytestmark = pytest.mark.anyio


def examined(place: Installation, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit status and findings by name."""
    done = place.run("doctor", "--json", *arguments)
    return done.returncode, {finding["check"]: finding for finding in json.loads(done.stdout)}


async def test_of_a_healthy_installation_it_has_nothing_to_say(place: Installation) -> None:
    place.environment["BIVELIO_PRIVATE_NETWORKS"] = ""
    server = await place.serve()
    place.environment["BIVELIO_PORT"] = server.address.rpartition(":")[2]

    status, findings = examined(place)
    lines = place.run("doctor").stdout.splitlines()

    assert status == 0
    assert [finding for finding in findings.values() if finding["level"] != "ok"] == []
    assert findings["port"]["what"].startswith("a server answers")
    assert len(lines) == len(findings)
    assert all(line.startswith("ok ") for line in lines)


def test_of_nothing_it_makes_nothing() -> None:
    with fresh_installation() as place:
        status, findings = examined(place)

        assert status == 0
        assert findings["database"]["remedy"] == "start the server: bivelio-server serve"
        assert not place.data.exists()


def test_every_fault_has_its_remedy(place: Installation) -> None:
    (place.data / "secret.key").chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place.environment |= {
            "BIVELIO_PORT": str(taken.getsockname()[1]),
            "BIVELIO_PUBLIC_URL": "http://api.example.com",
            "BIVELIO_PRIVATE_NETWORKS": "0.0.0.0/0",
            "BIVELIO_DATABASE_POOL": "240",
        }
        status, findings = examined(place)

    found = {name: finding["level"] for name, finding in findings.items() if finding["level"] != "ok"}
    assert status == 1
    assert found | {"housekeeping": "warning"} == {
        "secret key": "error",
        "port": "error",
        "public address": "warning",
        "private networks": "error",
        "connections": "warning",
        "housekeeping": "warning",
    }
    assert all(findings[name]["remedy"] for name in found if name in findings)


def test_what_is_wrong_inside_the_database_is_told(place: Installation) -> None:
    place.start_server()
    place.run("provision", "--organization", "x", "--email", "x@example.com", "--password", "long enough a word")
    with psycopg.connect(place.database(), autocommit=True) as owner:
        owner.execute("update alembic_version set version_num = '0006'")
        behind = examined(place)[1]
        owner.execute("update alembic_version set version_num = '9999'")
        ahead = examined(place)[1]
        owner.execute("update alembic_version set version_num = %s", (newest_version(),))
        owner.execute("update chores set error = 'ValueError', due_at = now() + interval '1 hour'")
        owner.execute("update installation_keys set sealed = 'x'")
        broken = examined(place)[1]

    assert behind["schema"]["remedy"] == "bivelio-server migrate"
    assert "newer version" in ahead["schema"]["remedy"]
    assert "is not the one of this database" in broken["key"]["what"]
    assert broken["chore pruning"]["level"] == "error"


def test_a_database_that_is_not_there_is_told(place: Installation) -> None:
    place.environment["BIVELIO_DATABASE_URL"] = "postgresql://nobody:secret-password@127.0.0.1:1/x"

    done = place.run("doctor")

    assert done.returncode == 1
    assert "BIVELIO_DATABASE_URL" in done.stdout
    assert "secret-password" not in done.stdout + done.stderr
