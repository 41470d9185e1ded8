"""The request log is kept for as long as its organisation says."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning

PRUNINGS: Final = (OrganisationPruning("requests_days", "prune_request_log"),)
