"""Real processes, watched from outside: traces that leave for a collector, and a worker that tells of itself."""

import os
import time

import httpx2
import pytest

from bivelio_server import serving
from bivelio_server.installation import InstallationError
from bivelio_server.settings import Settings
from tests.acceptance.collector import collecting
from tests.acceptance.conftest import Template
from tests.acceptance.installation import Installation, client_of, free_port, until

pytestmark = pytest.mark.anyio

LONGEST_STOP_SECONDS = 12


async def test_traces_leave_for_the_collector_at_the_latest_when_the_server_stops(
    place: Installation, template: Template
) -> None:
    with collecting() as collector:
        server = await place.serve(BIVELIO_TRACES_ENDPOINT=collector.url)
        async with client_of(server, template.live_key) as client:
            await client.call("/v1/contacts/create", {"name": "Canary of the trace"})
        server.terminate()
        assert await server.ended() == 0

    assert {path for path, _ in collector.came} == {"/v1/traces"}
    assert b"POST contacts.create" in collector.sent
    assert b"Canary of the trace" not in collector.sent
    assert template.live_key.encode() not in collector.sent
    assert '"trace_id"' in server.output()


async def test_a_collector_that_is_away_costs_its_traces_and_nothing_else(
    place: Installation, template: Template
) -> None:
    server = await place.serve(BIVELIO_TRACES_ENDPOINT=f"http://127.0.0.1:{free_port()}/v1/traces")
    async with client_of(server, template.live_key) as client:
        await client.call("/v1/contacts")
    server.terminate()
    began = time.monotonic()

    assert await server.ended() == 0
    assert time.monotonic() - began <= LONGEST_STOP_SECONDS


async def test_a_worker_tells_of_itself_on_a_port_of_its_own(place: Installation) -> None:
    port = free_port()
    worker = place.start("worker", BIVELIO_WORKER_PORT=str(port), address=f"http://127.0.0.1:{port}")
    await worker.ready()
    async with httpx2.AsyncClient(base_url=worker.address) as http:
        figures = await http.get("/metrics")
        missing = await http.post("/v1/contacts")

    assert "bivelio_worker_places" in figures.text
    assert missing.status_code == 404
    worker.terminate()
    assert await worker.ended() == 0


async def test_without_the_extra_the_server_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.import_module", missing)

    with (
        pytest.raises(InstallationError, match=r"bivelio-server\[otel\]"),
        serving._traced(Settings(traces_endpoint="http://127.0.0.1:1/")),
    ):
        raise AssertionError


async def test_nothing_but_the_extra_needs_opentelemetry(place: Installation) -> None:
    (place.folder / "opentelemetry.py").write_text("raise ImportError('the extra is not installed')\n")
    others = [path for path in [os.environ.get("PYTHONPATH")] if path]
    server = await place.serve(PYTHONPATH=os.pathsep.join([str(place.folder), *others]))

    await until(lambda: "Ctrl-C" in server.output())
    assert server.is_alive()
