"""Events are kept for as long as their organisation says."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning

PRUNINGS: Final = (OrganisationPruning("events_days", "prune_events"),)
