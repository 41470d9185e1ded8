"""One query and the vector that the reference engine gives for it: whoever computes something else is not used."""

import json
from pathlib import Path
from typing import Final

import numpy as np

from bivelio_server.ai.embedded.e5.weights import Floats

TEXT: Final = "Factura 2026-041 por la reforma de la cocina: 3.450,00 € más IVA, a pagar en treinta días."
#: Far below what a sound engine reaches and far above what another text does, on any processor.
_LEAST_COSINE: Final = 0.99
_VECTOR: Final = Path(__file__).with_name("golden.json")


def is_sound(vector: Floats) -> bool:
    """Whether it is the vector of TEXT, of whatever length."""
    golden = np.array(json.loads(_VECTOR.read_text()), np.float32)
    return bool(vector @ golden >= _LEAST_COSINE * np.linalg.norm(vector) > 0)
