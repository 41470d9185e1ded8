"""The figures for Prometheus: what this process counts as it goes, and what is looked up when they are asked for."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from bivelio_server.durable import TaskFigures, lanes_held, queue_figures
from bivelio_server.kit.context import Services
from bivelio_server.kit.db import Database, passes_by_itself
from bivelio_server.kit.errors import NotAuthenticated
from bivelio_server.webhooks.figures import DeliveryFigures, delivery_figures

_log = structlog.get_logger()

_BUILD: Final = Gauge("bivelio_build_info", "1, with the versions of the server and of its API.", ["version", "api"])
_DATABASE_UP: Final = Gauge("bivelio_database_up", "Whether the database answered when these figures were asked for.")
_CONNECTIONS: Final = Gauge(
    "bivelio_database_connections", "Open connections to the database by pool and state.", ["pool", "state"]
)
_CONNECTIONS_MAX: Final = Gauge("bivelio_database_connections_max", "Connections that a pool may open.", ["pool"])
_WAITING: Final = Gauge("bivelio_database_waiting", "Units of work that wait for a connection, by pool.", ["pool"])
_RUNS: Final = Gauge("bivelio_queue_runs", "Durable runs by task and by what they wait for.", ["task", "state"])
_OLDEST_RUN: Final = Gauge(
    "bivelio_queue_oldest_due_seconds", "How long the oldest due run has waited for a slot, by task.", ["task"]
)
_LANES: Final = Gauge("bivelio_lanes_held", "Lanes that some process works on, by kind.", ["kind"])
_DELIVERIES: Final = Gauge(
    "bivelio_webhook_deliveries", "Deliveries to make: `due`, or `waiting` for their time.", ["state"]
)
_OLDEST_DELIVERY: Final = Gauge(
    "bivelio_webhook_oldest_due_seconds", "How long the oldest due delivery has waited for a worker."
)
_ENDPOINTS: Final = Gauge("bivelio_webhook_endpoints", "Webhook endpoints by status.", ["status"])


def metrics(services: Services, version: str) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint, for the operator only."""
    _BUILD.labels(version, services.catalogue.versions.newest).set(1)

    async def answer(request: Request) -> Response:
        _require_operator(services, request)
        await _look_up(services.database, services.clock.now())
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return answer


async def _look_up(database: Database, now: datetime) -> None:
    """With the database away, what the process itself knows is all the more wanted."""
    _show_pools(database)
    try:
        runs, lanes = await queue_figures(database, now), await lanes_held(database)
        deliveries = await delivery_figures(database, now)
    except Exception as error:
        if not passes_by_itself(error) and not isinstance(error, OSError):
            raise
        _log.warning("figures_not_looked_up", error=type(error).__name__)
        _DATABASE_UP.set(0)
        return
    _DATABASE_UP.set(1)
    _show_runs(runs, now)
    _show_deliveries(deliveries, now)
    _LANES.clear()
    for kind, held in lanes.items():
        _LANES.labels(kind).set(held)


def _show_pools(database: Database) -> None:
    for pool in database.pools():
        _CONNECTIONS.labels(pool.name, "in_use").set(pool.in_use)
        _CONNECTIONS.labels(pool.name, "idle").set(pool.idle)
        _CONNECTIONS_MAX.labels(pool.name).set(pool.size)
        _WAITING.labels(pool.name).set(pool.waiting)


def _show_runs(runs: list[TaskFigures], now: datetime) -> None:
    _RUNS.clear()
    _OLDEST_RUN.clear()
    for figures in runs:
        for state in ("due", "sleeping", "running"):
            _RUNS.labels(figures.task, state).set(getattr(figures, state))
        _OLDEST_RUN.labels(figures.task).set(_age(figures.oldest_due, now))


def _show_deliveries(figures: DeliveryFigures, now: datetime) -> None:
    _DELIVERIES.labels("due").set(figures.due)
    _DELIVERIES.labels("waiting").set(figures.waiting)
    _OLDEST_DELIVERY.set(_age(figures.oldest_due, now))
    for status in ("active", "paused", "disabled"):
        _ENDPOINTS.labels(status).set(figures.endpoints.get(status, 0))


def _age(since: datetime | None, now: datetime) -> float:
    return 0 if since is None else max(0, (now - since).total_seconds())


def _require_operator(services: Services, request: Request) -> None:
    token = services.settings.metrics_token
    if token is None:
        forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
        here = request.client is not None and request.client.host in ("127.0.0.1", "::1")
        allowed = here and not forwarded
    else:
        given = request.headers.get("authorization", "")
        allowed = secrets.compare_digest(given.encode(), f"Bearer {token.get_secret_value()}".encode())
    if not allowed:
        raise NotAuthenticated
