"""The record of a job is kept for as long as the organisation keeps its runs."""

from typing import Final

from bivelio_server.kit.pruning import OrganisationPruning

PRUNINGS: Final = (OrganisationPruning("runs_days", "prune_jobs"),)
