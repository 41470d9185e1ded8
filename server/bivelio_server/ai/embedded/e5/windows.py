"""Texts of any length as sequences that the model can take, and their vectors from those of the sequences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bivelio_server.ai.embedded.e5.engine import BATCH
from bivelio_server.ai.embedded.e5.weights import Floats

#: Tokens of a batch, with those that fill up: attention takes memory for the square of a length.
_BATCH_TOKENS: Final = 2048


@dataclass(frozen=True, slots=True)
class Window:
    """A part of text number `text`. A long text has several, one after the other."""

    text: int
    ids: Sequence[int]


def windows_of(text: int, ids: Sequence[int], size: int) -> Iterator[Window]:
    for begin in range(0, max(len(ids), 1), size):
        yield Window(text, ids[begin : begin + size])


def batches(windows: Sequence[Window]) -> Iterator[Sequence[Window]]:
    """Windows of like length together: what is filled up is computed for nothing."""
    batch: list[Window] = []
    for window in sorted(windows, key=lambda window: len(window.ids)):
        if len(batch) == BATCH or (len(batch) + 1) * len(window.ids) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(window)
    if batch:
        yield batch


class Means:
    """The vector of each text: the mean of its windows by their length, then of unit length."""

    def __init__(self, texts: int, width: int) -> None:
        self._sums = np.zeros((texts, width), np.float32)

    def add(self, windows: Sequence[Window], vectors: Floats) -> None:
        for window, vector in zip(windows, vectors, strict=True):
            self._sums[window.text] += max(len(window.ids), 1) * vector

    def vectors(self) -> Floats:
        lengths = np.linalg.norm(self._sums, axis=1, keepdims=True)
        vectors: Floats = (self._sums / np.maximum(lengths, 1e-12)).astype(np.float32)
        return vectors
