"""What each guard of a request costs: CPU of the server and of PostgreSQL, with and without it, in interleaved rounds.

Requests go straight into the application, so that no client is measured with it.
"""

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import structlog
from contacts import FILTER
from place import Place
from starlette.types import ASGIApp

from bivelio_server.app import compose_services, create_app, opened
from bivelio_server.installation import Installation
from bivelio_server.kit import audit, middleware
from bivelio_server.kit.journal import Journal

ROUNDS = 12
REQUESTS = 120
PATHS = {"contacts.list": "/v1/contacts", "contacts.create": "/v1/contacts/create"}


@dataclass(frozen=True)
class Way:
    """One way of asking: of an application, with some of its guards."""

    app: ASGIApp
    journal: Journal
    key: str
    limited: bool = True
    idempotent: bool = True
    audited: bool = True
    logged: bool = True

    async def ask(self, path: str, data: dict[str, Any]) -> None:
        body = json.dumps({"data": data}).encode()
        headers = [(b"x-api-key", self.key.encode()), (b"content-type", b"application/json")]
        if self.idempotent:
            headers.append((b"idempotency-key", os.urandom(16).hex().encode()))
        replies: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Any) -> None:
            replies.append(message)

        await self.app(_scope(path, headers), receive, send)
        assert replies[0]["status"] == 200, replies


async def measure(here: Place, installation: Installation) -> None:
    """Prints what each guard adds to one request, and its share of the whole."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    async with AsyncExitStack() as stack:
        app, journal = await _application(stack, installation)
        without_walls, its_journal = await _application(
            stack, replace(installation, serving_url=installation.owner_url)
        )
        whole = Way(app, journal, here.key)
        ways = {
            "all": whole,
            "limits": replace(whole, limited=False),
            "idempotency": replace(whole, idempotent=False),
            "audit": replace(whole, audited=False),
            "request log": replace(whole, logged=False),
            "row-level security": replace(whole, app=without_walls, journal=its_journal),
        }
        for operation, path in PATHS.items():
            _report(operation, await _costs(here, installation, path, ways))


def _report(operation: str, costs: dict[str, tuple[float, float]]) -> None:
    whole = sum(costs["all"])
    print(
        f"\n{operation}: {costs['all'][0]:.0f} µs of CPU in the server, {costs['all'][1]:.0f} in PostgreSQL, of which"
    )
    for guard in list(costs)[1:]:
        added = [with_it - without for with_it, without in zip(costs["all"], costs[guard], strict=True)]
        print(
            f"  {guard:20} {added[0]:6.0f} µs in the server, {added[1]:6.0f} in PostgreSQL"
            f"  ({100 * sum(added) / whole:.0f} %)"
        )


async def _costs(
    here: Place, installation: Installation, path: str, ways: dict[str, Way]
) -> dict[str, tuple[float, float]]:
    """Microseconds of CPU a request, in the server and in PostgreSQL: the median of the rounds."""
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for number in range(ROUNDS + 1):
        for name, way in ways.items():
            with _limits(here, installation, way.limited), _audit(way.audited), _request_log(way.logged):
                cost = await _round(here, path, way, number)
            if number:  # the first one warms up
                rounds[name].append(cost)
    return {
        name: (statistics.median(cost[0] for cost in costs), statistics.median(cost[1] for cost in costs))
        for name, costs in rounds.items()
    }


async def _round(here: Place, path: str, way: Way, number: int) -> tuple[float, float]:
    server, postgres = time.process_time(), here.postgres_cpu()
    for position in range(REQUESTS):
        await way.ask(path, FILTER if path == PATHS["contacts.list"] else _contact(number, position))
    await way.journal.flush()
    server, postgres = time.process_time() - server, here.postgres_cpu() - postgres
    return 1e6 * server / REQUESTS, 1e6 * postgres / REQUESTS


@contextmanager
def _limits(here: Place, installation: Installation, wanted: bool) -> Iterator[None]:
    """The organisation's requests are counted, or its plan has no limit."""
    limit = 1_000_000 if wanted else None
    with psycopg.connect(installation.owner_url, autocommit=True) as connection:
        connection.execute(
            "update organizations set requests_per_minute = %s, requests_per_second = %s where id = %s",
            (limit, limit, here.provisioned["organization_id"]),
        )
    yield


@contextmanager
def _audit(wanted: bool) -> Iterator[None]:
    write: Callable[..., Any] = audit.write

    async def nothing(context: Any, *_: Any, **__: Any) -> None:
        await context.session.flush_changes()

    if not wanted:
        audit.write = nothing  # type: ignore[assignment]
    try:
        yield
    finally:
        audit.write = write  # type: ignore[assignment]


@contextmanager
def _request_log(wanted: bool) -> Iterator[None]:
    made: Callable[..., Any] = middleware.request_record
    if not wanted:
        middleware.request_record = lambda *_: None  # type: ignore[assignment]
    try:
        yield
    finally:
        middleware.request_record = made  # type: ignore[assignment]


async def _application(stack: AsyncExitStack, installation: Installation) -> tuple[ASGIApp, Journal]:
    services = await stack.enter_async_context(opened(compose_services(installation)))
    return create_app(services, installation), services.journal


def _contact(number: int, position: int) -> dict[str, Any]:
    return {
        "name": f"Maria Garcia {number}",
        "email": f"maria.{number}.{position}.{time.time_ns()}@ejemplo.com",
        "tags": ["lead", "inbound"],
        "custom_fields": {"source": "website", "interest": "plan_enterprise"},
    }


def _scope(path: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": b"", "scheme": "http", "server": ("bivelio", 80), "client": ("127.0.0.1", 1), "headers": headers,
    }  # fmt: skip
