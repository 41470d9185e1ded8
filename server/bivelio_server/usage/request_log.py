"""The request log: who asked what, when, and how it was answered."""

from datetime import datetime, timedelta
from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, NotFound, Problem
from bivelio_server.kit.models import Pagination
from bivelio_server.kit.operations import DIRECT_DOORS, Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.usage import queries
from bivelio_server.usage.environments import chosen_environment, visible_environments
from bivelio_server.usage.schemas import LoggedRequest, RequestList, RequestPage, RequestReference

_USUAL_SPAN: Final = timedelta(hours=24)

feature: Final = Feature(
    "requests", doors=DIRECT_DOORS, doors_reason="it shows the addresses of people, which no automation needs"
)


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read, errors=[Impossible],
    summary=Text("Lista las peticiones recibidas", "List the requests received"),
)  # fmt: skip
async def list_requests(context: Context, data: RequestList) -> RequestPage:
    if data.from_ is not None and data.to is not None and data.to < data.from_:
        raise Impossible(Problem("to", "order", _BACKWARDS))
    environment = chosen_environment(context, data.environment)
    await context.services.journal.flush()
    rows, total = await queries.list_requests(context, data, environment, _first_moment(context, data))
    requests = [LoggedRequest.model_validate(row) for row in rows]
    return RequestPage(requests=requests, pagination=Pagination.of(data, total))


@feature.operation(
    "get", scope=Scope.admin, effect=Effect.read, errors=[NotFound],
    summary=Text(
        "Obtiene una petición por su X-Request-Id; la última, si se repitió",
        "Get a request by its X-Request-Id; the last one if it was repeated",
    ),
)  # fmt: skip
async def get(context: Context, data: RequestReference) -> LoggedRequest:
    await context.services.journal.flush()
    row = await queries.find_request(context, data.request_id, visible_environments(context))
    if row is None:
        raise NotFound("request_id")
    return LoggedRequest.model_validate(row)


def _first_moment(context: Context, data: RequestList) -> datetime | None:
    if data.from_ is not None or data.request_id is not None:
        return data.from_
    last = data.to or context.services.clock.outside()  # the log goes by the true time, also in the sandbox
    return last - _USUAL_SPAN if last.year > 1 else None  # the calendar begins there


_BACKWARDS: Final = Text("El campo 'to' es anterior a 'from'.", "The field 'to' is before 'from'.")
