"""Finished runs are kept for as long, and as many, as their organisation says; deleted workflows go for good."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationLimit, OrganisationPruning, Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (
    OrganisationPruning("runs_days", "prune_runs"),
    OrganisationLimit("runs_kept", "prune_runs_beyond"),
    Pruning("prune_deleted_workflows", RESTORABLE),
    Pruning("prune_lost_subscriptions", RESTORABLE),
)
