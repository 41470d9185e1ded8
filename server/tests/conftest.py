"""The test bed: a real PostgreSQL of its own, a database per test process, one application, as many organisations as
tests ask for. Organisations are walls apart, so tests need no clean-up between them."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx2
import hypothesis
import psycopg
import pytest
import structlog
from pydantic import SecretStr
from starlette.applications import Starlette

from bivelio_server.app import compose_services, create_app, opened
from bivelio_server.installation import Installation, prepare, serving_url
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.embedded_postgres import EmbeddedPostgres, libpq_url
from bivelio_server.kit.secrets import SecretKey
from bivelio_server.settings import Settings
from tests.scripted import SCRIPTS, Scripts
from tests.working import noted
from tests.world import Organization, World

#: As by default, but for tracebacks with the values of all variables, each of which takes seconds to write.
LOG = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
]
#: A machine with other work on it is no mistake of ours.
PATIENT = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
SECRET_KEY = "a secret key for tests, of more than 32 characters"


def pytest_configure(config: pytest.Config) -> None:
    structlog.configure(processors=LOG)
    hypothesis.settings.register_profile("patient", PATIENT)
    hypothesis.settings.load_profile("patient")
    if not hasattr(config, "workerinput"):
        os.environ["BIVELIO_TEST_FOLDER"] = tempfile.mkdtemp(prefix="bivelio-tests-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ["BIVELIO_TEST_FOLDER"], ignore_errors=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    """This test process's own database, migrated; served as the role that serves in production."""
    folder = Path(os.environ["BIVELIO_TEST_FOLDER"])
    folder.chmod(0o755)
    database = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    embedded = EmbeddedPostgres(folder / "postgres", fsync=False)
    with embedded as address:
        with psycopg.connect(libpq_url(address.superuser_url()), autocommit=True) as connection:
            connection.execute(f'create database "{database}" owner bivelio_owner')
        owner_url = libpq_url(address.owner_url(database))
        secret_key = SecretKey(SECRET_KEY)
        settings = Settings(
            secret_key=SecretStr(SECRET_KEY), private_networks=(ip_network("127.0.0.0/8"),), log_level="warning",
            anonymous_per_minute=1_000_000, anonymous_per_second=1_000_000, storage_dir=folder / f"files_{database}",
        )  # fmt: skip
        place = Installation(settings, owner_url, serving_url(owner_url, secret_key), secret_key, None)
        prepare(place)
        yield place


@pytest.fixture(scope="session")
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture(scope="session")
def scripts() -> Scripts:
    """Lets a test give its organisation a model of its own."""
    return SCRIPTS


@pytest.fixture(scope="session")
async def services(installation: Installation, clock: MovableClock) -> AsyncIterator[Services]:
    composed = compose_services(installation, clock)
    scripted = replace(composed, providers=composed.providers.with_(SCRIPTS.provider))
    async with opened(scripted) as services, noted(services):
        yield services


@pytest.fixture(scope="session")
async def app(services: Services, installation: Installation) -> Starlette:
    return create_app(services, installation)


@pytest.fixture(scope="session")
async def http(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """An anonymous client of the application."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as client:
        yield client


@pytest.fixture(scope="session")
def owner(installation: Installation) -> Iterator[psycopg.Connection]:
    """The database as its owner sees it, past every wall: for arranging and for checking what was stored."""
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def world(
    installation: Installation, http: httpx2.AsyncClient, owner: psycopg.Connection, clock: MovableClock
) -> World:
    return World(installation, http, owner, clock)


@pytest.fixture
def alone(owner: psycopg.Connection) -> None:
    """What other tests left to be done waits for ever: workers, which serve all organisations, find only the test's."""
    for state in ("pending", "sleeping", "running"):  # each has an index of its own
        owner.execute(
            "with put_off as (update absurd.r_work set state = 'sleeping', available_at = 'infinity',"
            f" claimed_by = null, claim_expires_at = null where state = '{state}' and available_at < 'infinity'"
            " returning task_id)"
            " update absurd.t_work t set state = 'sleeping' from put_off p where t.task_id = p.task_id"
        )
    owner.execute("update webhook_endpoints set deleted_at = now() where deleted_at is null")


@pytest.fixture
def others_keep_everything(owner: psycopg.Connection) -> None:
    """Pruning goes through every organisation that does not, and other tests make thousands."""
    owner.execute("update organizations set retention = '{}' where retention <> '{}'")


@pytest.fixture
def acme(world: World) -> Organization:
    """A fresh organisation."""
    return world.organization("Acme")


@pytest.fixture
def rival(world: World) -> Organization:
    """Another fresh organisation, which must never see anything of the first."""
    return world.organization("Rival")
