"""Every run ends: one whose durable task is gone though it has not ended is given another.

By design there is none; a database that somebody has mended by hand may hold one.
"""

from typing import Final

import structlog

from bivelio_server.kit.context import Services

_BATCH: Final = 500
_REVIVE: Final = "select revive_runs(%s)"
_log = structlog.get_logger()


async def revive_runs(services: Services) -> int:
    """How many there were."""
    revived, more = 0, True
    while more:
        row = await services.database.call(_REVIVE, (_BATCH,))
        assert row is not None
        revived, more = revived + row[0], row[0] == _BATCH
    if revived:
        _log.warning("runs_revived", runs=revived)
    return revived
