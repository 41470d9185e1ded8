"""An application of its own, whose reader and model say what the tests want, and whose rules are known."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import psycopg
import pytest

from bivelio_server.ai.port import LANGUAGE
from bivelio_server.app import HANDLERS, create_app
from bivelio_server.documents import understanding
from bivelio_server.documents.fields import Classification, Extraction
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.providers import Provider, Providers
from tests.documents.arranging import CONTRACT, an_extraction
from tests.documents.scripted import ScriptedModel, ScriptedReader
from tests.working import working
from tests.world import World


@dataclass
class Scripts:
    """What is said of every document; without a `model` none is configured."""

    reader: ScriptedReader
    model: ScriptedModel | None
    extraction: Extraction
    classification: Classification


@pytest.fixture(scope="session")
def the_scripts() -> Scripts:
    return Scripts(ScriptedReader(), None, an_extraction(), CONTRACT)


@pytest.fixture(autouse=True)
def scripts(the_scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> Scripts:
    the_scripts.reader.answer, the_scripts.model = None, None
    the_scripts.reader.read_files.clear()
    the_scripts.reader.was_asked.clear()
    the_scripts.reader.held.clear()
    the_scripts.extraction = an_extraction(invoice_number="FAC-2026-001", issuer={"nif": "B98765432"})
    the_scripts.classification = CONTRACT

    def extract(*_args: Any) -> Extraction:
        return the_scripts.extraction

    def classify(*_args: Any) -> Classification:
        return the_scripts.classification

    monkeypatch.setattr(understanding, "extract", extract)
    monkeypatch.setattr(understanding, "classify", classify)
    return the_scripts


@pytest.fixture(scope="session")
def reading_services(services: Services, the_scripts: Scripts) -> Services:
    def model(_services: Services, _caller: object) -> Any:
        return the_scripts.model

    providers = Providers(*services.providers._providers.values(), Provider(LANGUAGE, real=model, simulated=model))
    return replace(services, reader=the_scripts.reader, providers=providers)


@pytest.fixture(scope="session")
async def http(reading_services: Services, installation: Installation) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=create_app(reading_services, installation))
    async with httpx2.AsyncClient(transport=transport, base_url="http://bivelio.test") as client:
        yield client


@pytest.fixture(scope="session")
def world(
    installation: Installation, http: httpx2.AsyncClient, owner: psycopg.Connection, clock: MovableClock
) -> World:
    return World(installation, http, owner, clock)


@pytest.fixture
async def worker(reading_services: Services, alone: None) -> AsyncIterator[None]:
    async with working(reading_services, HANDLERS):
        yield
