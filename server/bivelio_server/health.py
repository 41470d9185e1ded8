"""What those who run the server ask it: is it alive, is it ready."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from bivelio_server.kit.context import Services
from bivelio_server.kit.door import json_response
from bivelio_server.kit.errors import Unavailable
from bivelio_server.migrations import newest_version

Endpoint = Callable[[Request], Awaitable[Response]]


async def livez(_request: Request) -> Response:
    return json_response({"status": "alive"})


def readyz(services: Services) -> Endpoint:
    """Ready when the database answers and has this version's schema, and until the server is told to stop."""
    newest = newest_version()

    async def answer(request: Request) -> Response:
        if request.app.state.draining:
            return json_response({"status": "draining"}, 503)
        row = await services.database.call("select version_num from alembic_version")
        if row is None or row[0] < newest:
            raise Unavailable
        return json_response({"status": "ready"})

    return answer
