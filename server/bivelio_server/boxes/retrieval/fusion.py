"""One score out of two: how near a passage is in meaning, and how much of the question stands in it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: How much words count beside meaning, in deviations of the cosines, and which share of a question is chance. Tuned on
#: the tuning half of `benchmarks/questions`: with more, or in proportion, the few words that a question in other words
#: or another language shares with some passage would count more than what it means.
_WEIGHT: Final = 10.0
_CHANCE: Final = 0.05
#: What is taken for granted before the cosines of a box say more: so many of this deviation.
_PRIOR_COUNT: Final = 20
_PRIOR_DEVIATION: Final = 0.02


def deviation(cosines: Floats) -> float:
    """How far the cosines of a question with all passages of a box lie from their mean; few passages say little."""
    count = cosines.size
    squares = count * float(cosines.var()) if count else 0.0
    return float(np.sqrt((squares + _PRIOR_COUNT * _PRIOR_DEVIATION**2) / (count + _PRIOR_COUNT)))


def fused(cosines: Floats, coverage: Floats, spread: float) -> Floats:
    """The scores of passages: the cosine with the question, and more where its words stand in the passage.

    `coverage` is the share of the question that does, by the weight of its words (BM25 over the most that it could be);
    `spread` the `deviation` of the question's cosines in the box. A sum of ranks would do worse than meaning alone
    wherever words are no help.
    """
    bonus = _WEIGHT * spread * np.maximum(0.0, coverage - _CHANCE) ** 2
    scores: Floats = (cosines + bonus).astype(np.float32)
    return scores


def shown(score: float) -> float:
    """A score as it is told: from 0 to 1."""
    return round(min(max(score, 0.0), 1.0), 6)
