"""A deleted organisation goes for good when its operator can no longer bring it back."""

from typing import Final

from bivelio_server.kit.pruning import Pruning
from bivelio_server.kit.rows import RESTORABLE

PRUNINGS: Final = (Pruning("erase_deleted_organizations", RESTORABLE),)
