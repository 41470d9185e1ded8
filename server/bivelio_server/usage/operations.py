"""Usage: what an organisation has asked for and spent, and what it still may."""

from datetime import date
from typing import Final

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context
from bivelio_server.kit.errors import Impossible, Problem
from bivelio_server.kit.models import Nothing, Pagination
from bivelio_server.kit.operations import Effect, Feature
from bivelio_server.kit.text import Text
from bivelio_server.usage import queries
from bivelio_server.usage.environments import chosen_environment, visible_environments
from bivelio_server.usage.schemas import (
    AiUsageList,
    AiUsagePage,
    AiUsageRow,
    CreditEntry,
    CreditEntryList,
    CreditEntryPage,
    Credits,
    Limits,
    UsageList,
    UsagePage,
    UsageRow,
    month_name,
)

#: What is listed unless a span is given, today included; and the longest that may be given.
_USUAL_DAYS: Final = 30
_MOST_DAYS: Final = 400

feature: Final = Feature("usage")


@feature.operation(
    "list", scope=Scope.admin, effect=Effect.read, errors=[Impossible],
    summary=Text(
        "Lista el uso por día, clave, operación o entorno", "List the usage by day, key, operation or environment"
    ),
)  # fmt: skip
async def list_usage(context: Context, data: UsageList) -> UsagePage:
    _require_span(data.from_, data.to)
    await context.services.journal.flush()
    environments = (
        visible_environments(context) if data.environment == "all" else [chosen_environment(context, data.environment)]
    )
    rows, total = await queries.list_usage(context, data, environments, days=_USUAL_DAYS - 1)
    usage = [UsageRow.model_validate(row) for row in rows]
    return UsagePage(usage=usage, pagination=Pagination.of(data, total))


@feature.operation(
    "ai", scope=Scope.admin, effect=Effect.read, errors=[Impossible],
    summary=Text("Lista el uso de modelos de lenguaje por día", "List the use of language models by day"),
)  # fmt: skip
async def list_ai_usage(context: Context, data: AiUsageList) -> AiUsagePage:
    _require_span(data.from_, data.to)
    environment = chosen_environment(context, data.environment)
    rows, total = await queries.list_ai_usage(context, data, environment, days=_USUAL_DAYS - 1)
    usage = [AiUsageRow.model_validate(row) for row in rows]
    return AiUsagePage(usage=usage, pagination=Pagination.of(data, total))


@feature.operation(
    "limits", scope=Scope.read, effect=Effect.read,
    summary=Text("Obtiene los límites de peticiones y lo que queda", "Get the request limits and what is left of them"),
)  # fmt: skip
async def limits(context: Context, data: Nothing) -> Limits:  # noqa: ARG001 - nothing is asked
    return Limits.model_validate(await queries.limits(context))


@feature.operation(
    "credits", scope=Scope.admin, effect=Effect.read,
    summary=Text("Obtiene los créditos del mes", "Get the month's credits"),
)  # fmt: skip
async def credits_of_month(context: Context, data: Nothing) -> Credits:  # noqa: ARG001 - nothing is asked
    row = await queries.credits_of_month(context)
    return Credits.model_validate({**row._asdict(), "month": month_name(row.month)})


@feature.operation(
    "list_credit_entries", scope=Scope.admin, effect=Effect.read, errors=[Impossible],
    summary=Text("Lista los movimientos de créditos", "List what happened to the credits"),
)  # fmt: skip
async def list_credit_entries(context: Context, data: CreditEntryList) -> CreditEntryPage:
    _require_order(data.from_, data.to)
    environment = chosen_environment(context, data.environment)
    rows, total = await queries.list_entries(context, data, environment)
    entries = [CreditEntry.model_validate(row) for row in rows]
    return CreditEntryPage(entries=entries, pagination=Pagination.of(data, total))


def _require_span(first: date | None, last: date | None) -> None:
    _require_order(first, last)
    if first is not None and last is not None and (last - first).days >= _MOST_DAYS:
        raise Impossible(Problem("to", "maximum", _TOO_LONG))


def _require_order(first: date | None, last: date | None) -> None:
    if first is not None and last is not None and last < first:
        raise Impossible(Problem("to", "order", _BACKWARDS))


_BACKWARDS: Final = Text("El campo 'to' es anterior a 'from'.", "The field 'to' is before 'from'.")
_TOO_LONG: Final = Text(
    f"Entre 'from' y 'to' caben como máximo {_MOST_DAYS} días.", f"'from' and 'to' span at most {_MOST_DAYS} days."
)
