"""Mail that was sent, or given up, is kept as long as somebody may ask for it."""

from datetime import timedelta
from typing import Final

from bivelio_server.kit.pruning import Pruning

PRUNINGS: Final = (Pruning("prune_mail", timedelta(days=30)),)
