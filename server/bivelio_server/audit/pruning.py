"""The audit log is kept for as long as its organisation says."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning

PRUNINGS: Final = (OrganisationPruning("audit_days", "prune_audit"),)
