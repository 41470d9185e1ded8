"""Sign-ins of which nothing is left to see or renew."""

from datetime import timedelta
from typing import Final

from bivelio_server.kit.pruning import Pruning

PRUNINGS: Final = (Pruning("prune_sign_ins", timedelta(days=30)),)
