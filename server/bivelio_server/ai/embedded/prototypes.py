"""Labels as points among the vectors of e5, and how likely each is for a vector.

All cosines of e5 are high and close together, so they are taken about the centre of what describes the labels. How sure
to be is learnt from the exemplars: each is classified by the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Owners = NDArray[np.intp]

#: As many exemplars are worth as much as the description. This and the next three were found on the tuning half of the
#: texts in `benchmarks/texts`.
_DESCRIPTION: Final = 2.5
_TEMPERATURE: Final = 0.055
_WITHOUT_EXEMPLARS: Final = 0.075
#: The cosine about the centre of a text that fits no label.
_STRANGER: Final = 0.08
#: How far the exemplars may move the temperature: a standard deviation of its logarithm.
_FREEDOM: Final = 0.3
#: More exemplars than these no longer make the temperature better, only slower to find.
_LEFT_OUT: Final = 150


@dataclass(frozen=True, slots=True)
class Prototypes:
    centre: Floats
    #: (labels, width)
    points: Floats
    temperature: float

    def probabilities(self, vector: Floats) -> list[float]:
        """Of each label; what is missing to 1 is the probability that none fits."""
        scores = self.points @ _unit(vector - self.centre)
        return [float(p) for p in _softmax(_with_stranger(scores[None]), self.temperature)[0, :-1]]


def prototypes(descriptions: Floats, exemplars: Floats, owners: Sequence[int]) -> Prototypes:
    """`descriptions` (labels, width); `owners` tell the label of each of `exemplars` (…, width)."""
    of = np.array(owners, np.intp)
    centre, points = _points(descriptions, exemplars, of)
    return Prototypes(centre, points, _temperature(descriptions, exemplars, of))


def _points(descriptions: Floats, exemplars: Floats, owners: Owners) -> tuple[Floats, Floats]:
    centre = np.concatenate([descriptions, exemplars]).mean(axis=0)
    sums = _DESCRIPTION * _unit(descriptions - centre)
    np.add.at(sums, owners, _unit(exemplars - centre))
    return centre, _unit(sums)


def _temperature(descriptions: Floats, exemplars: Floats, owners: Owners) -> float:
    """The likeliest one, by the exemplars and by what was found elsewhere."""
    if not len(exemplars):
        return _WITHOUT_EXEMPLARS
    left_out = np.linspace(0, len(exemplars) - 1, min(len(exemplars), _LEFT_OUT)).astype(np.intp)
    scores = _with_stranger(np.array([_left_out(descriptions, exemplars, owners, index) for index in left_out]))
    right = (np.arange(len(left_out)), owners[left_out])

    def cost(temperature: float) -> float:
        surprise = -np.log(_softmax(scores, temperature)[right] + 1e-12).sum()
        return float(surprise + (np.log(temperature / _TEMPERATURE) / _FREEDOM) ** 2 / 2)

    return min((float(temperature) for temperature in np.geomspace(0.02, 0.2, 47)), key=cost)


def _left_out(descriptions: Floats, exemplars: Floats, owners: Owners, index: np.intp) -> Floats:
    """The scores of one exemplar by all others."""
    centre, points = _points(descriptions, np.delete(exemplars, index, axis=0), np.delete(owners, index))
    scores: Floats = points @ _unit(exemplars[index] - centre)
    return scores


def _with_stranger(scores: Floats) -> Floats:
    return np.concatenate([scores, np.full((len(scores), 1), _STRANGER)], axis=1)


def _softmax(scores: Floats, temperature: float) -> Floats:
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Floats = vectors / np.maximum(lengths, 1e-12)
    return units
