"""What was deleted goes for good, with its files and what was read out of them, when it can no longer be restored."""

from typing import Final

from bivelio_server.kit.pruning import Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (Pruning("prune_deleted_boxes", RESTORABLE),)
