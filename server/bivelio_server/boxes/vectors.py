"""The vector of a text as `box_vectors` holds it: numbers of 16 bits, little-endian."""

import struct
from collections.abc import Sequence


def packed(vector: Sequence[float]) -> bytes:
    return struct.pack(f"<{len(vector)}e", *vector)
