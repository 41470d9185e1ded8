"""Deliveries are kept for as long as their organisation says; deleted endpoints go for good."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning, Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (
    OrganisationPruning("deliveries_days", "prune_deliveries"),
    Pruning("prune_deleted_webhooks", RESTORABLE),
)
