"""Executions are kept for as long as runs are; days of figures for as long as they are told; deleted agents go."""

from datetime import timedelta
from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning, Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (
    OrganisationPruning("runs_days", "prune_agent_executions"),
    Pruning("prune_agent_days", timedelta(days=40)),
    Pruning("prune_deleted_agents", RESTORABLE),
)
