"""Finished runs are kept for as long as their organisation says; deleted workflows go for good."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning, Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (
    OrganisationPruning("runs_days", "prune_runs"),
    Pruning("prune_deleted_workflows", RESTORABLE),
)
