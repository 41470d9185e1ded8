"""The time of a sandbox, which its developer may move ahead; live work goes by the true one and asks nothing."""

from dataclasses import replace
from typing import Final
from uuid import UUID

from bivelio_server.kit.caller import Environment
from bivelio_server.kit.context import Services

_AHEAD: Final = "select sandbox_ahead(%s, 'sandbox')"


async def in_time_of(services: Services, org_id: UUID, environment: Environment) -> Services:
    """The services with the clock of that organisation's environment."""
    if environment is Environment.live:
        return services
    row = await services.database.call(_AHEAD, (org_id,))
    assert row is not None
    return replace(services, clock=services.clock.ahead_by(row[0]))
