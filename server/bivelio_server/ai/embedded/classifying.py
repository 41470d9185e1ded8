"""Which label fits a text, by what describes the labels and by exemplars of them."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Final, TypeAlias

from bivelio_server.ai.embedded.embedding import MODEL, Embedder
from bivelio_server.ai.embedded.strangers import STRANGERS
from bivelio_server.ai.port import Classified, Label, Usage

if TYPE_CHECKING:
    from bivelio_server.ai.embedded.prototypes import Prototypes

_Key: TypeAlias = tuple[tuple[str, str, tuple[str, ...]], ...]

#: Below, the answer is that none fits.
LEAST_CONFIDENCE: Final = 0.5
#: Characters from the beginning: there a text says what it is, and more would take seconds.
_READ: Final = 4000
#: Sets of labels whose vectors are kept.
_KEPT: Final = 64


class Classifier:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._prepared: OrderedDict[_Key, Prototypes] = OrderedDict()

    async def classify(self, text: str, labels: Sequence[Label]) -> Classified:
        if not labels or not text.strip():
            return _classified({label.name: 0.0 for label in labels}, Usage())
        prototypes, spent = await self._prototypes(labels)
        encoded = await self._embedder.encode([text[:_READ]], "topic")
        probabilities = prototypes.probabilities(encoded.vectors[0])
        scores = {label.name: score for label, score in zip(labels, probabilities, strict=True)}
        return _classified(scores, spent + Usage(prompt=encoded.tokens))

    async def _prototypes(self, labels: Sequence[Label]) -> tuple["Prototypes", Usage]:
        """Those of the labels, and what they cost if they are new."""
        key = tuple((label.name, label.description, tuple(label.exemplars)) for label in labels)
        if key in self._prepared:
            self._prepared.move_to_end(key)
            return self._prepared[key], Usage()
        prototypes, spent = await self._prepare(labels)
        self._prepared[key] = prototypes
        while len(self._prepared) > _KEPT:
            self._prepared.popitem(last=False)
        return prototypes, spent

    async def _prepare(self, labels: Sequence[Label]) -> tuple["Prototypes", Usage]:
        descriptions = [label.description or label.name.replace("_", " ") for label in labels]
        exemplars = [text[:_READ] for label in labels for text in label.exemplars]
        owners = [index for index, label in enumerate(labels) for _ in label.exemplars]
        encoded = await self._embedder.encode([*descriptions, *exemplars, *STRANGERS], "topic")
        # With numpy, which a server that classifies nothing does without.
        prepare = import_module("bivelio_server.ai.embedded.prototypes").prototypes
        first, last = len(descriptions), len(descriptions) + len(exemplars)
        vectors = encoded.vectors
        prototypes = await asyncio.to_thread(prepare, vectors[:first], vectors[first:last], owners, vectors[last:])
        return prototypes, Usage(prompt=encoded.tokens)


@cache
def classifier(embedder: Embedder) -> Classifier:
    """The one of this process."""
    return Classifier(embedder)


def _classified(scores: dict[str, float], spent: Usage) -> Classified:
    likeliest = max(scores, key=scores.__getitem__, default=None)
    confidence = scores[likeliest] if likeliest is not None else 0.0
    label = likeliest if confidence >= LEAST_CONFIDENCE else None
    return Classified(label, confidence, scores, "embedded", MODEL, spent)
