"""What those who run the server ask it: is it alive, is it ready, what are its figures."""

import secrets
from collections.abc import Awaitable, Callable
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from bivelio_server.durable import queue_depth
from bivelio_server.kit.context import Services
from bivelio_server.kit.door import json_response
from bivelio_server.kit.errors import NotAuthenticated, Unavailable
from bivelio_server.migrations import newest_version

_QUEUE: Final = Gauge("bivelio_queue_runs", "Durable runs by what they wait for.", ["state"])
Endpoint = Callable[[Request], Awaitable[Response]]


async def livez(_request: Request) -> Response:
    return json_response({"status": "alive"})


def readyz(services: Services) -> Endpoint:
    """Ready when the database answers and has this version's schema."""
    newest = newest_version()

    async def answer(_request: Request) -> Response:
        row = await services.database.call("select version_num from alembic_version")
        if row is None or row[0] < newest:
            raise Unavailable
        return json_response({"status": "ready"})

    return answer


def metrics(services: Services) -> Endpoint:
    async def answer(request: Request) -> Response:
        _require_operator(services, request)
        depth = await queue_depth(services.database)
        for state in ("due", "sleeping", "running"):
            _QUEUE.labels(state).set(getattr(depth, state))
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return answer


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
