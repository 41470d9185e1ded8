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
#: The least score of what is no label: a text may fit none without being like the strangers that are known.
_STRANGER: Final = 0.08
#: How far the exemplars may move the temperature: a standard deviation of its logarithm.
_FREEDOM: Final = 0.3
#: More exemplars than these no longer make the temperature better, only slower to find.
_LEFT_OUT: Final = 150


@dataclass(frozen=True, slots=True)
class Prototypes:
    centre: Floats
    #: (labels and one for strangers, width)
    points: Floats
    temperature: float

    def probabilities(self, vector: Floats) -> list[float]:
        """Of each label; what is missing to 1 is the probability that none fits."""
        scores = _scores(vector, self.centre, self.points)
        return [float(p) for p in _softmax(scores[None], self.temperature)[0, :-1]]


@dataclass(frozen=True, slots=True)
class Described:
    """Vectors of what is known: `descriptions` (labels, width), `exemplars` and `strangers` (…, width); `owners` tell
    the label of each exemplar."""

    descriptions: Floats
    exemplars: Floats
    owners: Owners
    strangers: Floats

    def without(self, index: np.intp) -> "Described":
        """That exemplar."""
        exemplars, owners = np.delete(self.exemplars, index, axis=0), np.delete(self.owners, index)
        return Described(self.descriptions, exemplars, owners, self.strangers)


def prototypes(descriptions: Floats, exemplars: Floats, owners: Sequence[int], strangers: Floats) -> Prototypes:
    known = Described(descriptions, exemplars, np.array(owners, np.intp), strangers)
    centre, points = _points(known)
    return Prototypes(centre, points, _temperature(known))


def _points(known: Described) -> tuple[Floats, Floats]:
    centre = np.concatenate([known.descriptions, known.exemplars, known.strangers]).mean(axis=0)
    sums = _DESCRIPTION * _unit(known.descriptions - centre)
    np.add.at(sums, known.owners, _unit(known.exemplars - centre))
    strangers = _unit(known.strangers - centre).sum(axis=0)
    return centre, _unit(np.concatenate([sums, strangers[None]]))


def _scores(vector: Floats, centre: Floats, points: Floats) -> Floats:
    """Of each label, and last of none."""
    scores: Floats = points @ _unit(vector - centre)
    scores[-1] = max(scores[-1], _STRANGER)
    return scores


def _temperature(known: Described) -> float:
    """The likeliest one, by the exemplars and by what was found elsewhere."""
    count = len(known.exemplars)
    if not count:
        return _WITHOUT_EXEMPLARS
    left_out = np.linspace(0, count - 1, min(count, _LEFT_OUT)).astype(np.intp)
    scores = np.array([_scores(known.exemplars[index], *_points(known.without(index))) for index in left_out])
    right = (np.arange(len(left_out)), known.owners[left_out])

    def cost(temperature: float) -> float:
        surprise = -np.log(_softmax(scores, temperature)[right] + 1e-12).sum()
        return float(surprise + (np.log(temperature / _TEMPERATURE) / _FREEDOM) ** 2 / 2)

    return min((float(temperature) for temperature in np.geomspace(0.02, 0.2, 47)), key=cost)


def _softmax(scores: Floats, temperature: float) -> Floats:
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)) / temperature)
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: Floats = vectors / np.maximum(lengths, 1e-12)
    return units
