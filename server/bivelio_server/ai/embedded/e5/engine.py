"""What an engine of e5 is: texts in, vectors out, in steps between which others may have their turn."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from bivelio_server.ai.embedded.e5.weights import Floats

#: What is looked for, what is found, and what is compared with its like: in a topic, rare words count more.
Kind: TypeAlias = Literal["query", "passage", "topic"]
#: The engine's return value, after a step for each batch.
Steps: TypeAlias = Generator[None, None, "Encoded"]

PREFIXES: Final[dict[Kind, str]] = {"query": "query:", "passage": "passage:", "topic": "query:"}
#: Texts that are computed together.
BATCH: Final = 8
#: What follows no longer changes what a text is about, and would be paid for in minutes.
LONGEST_TEXT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Encoded:
    """`vectors` (texts, 384), each of unit length; `tokens` that were read in all."""

    vectors: Floats
    tokens: int


class Engine(Protocol):
    @property
    def name(self) -> str: ...

    def encode(self, texts: Sequence[str], kind: Kind) -> Steps: ...

    def tokens(self, text: str) -> int:
        """Those that it reads of a passage."""


def prefixed(text: str, kind: Kind) -> str:
    """As the model was trained to be given it."""
    return f"{PREFIXES[kind]} {text[:LONGEST_TEXT]}"


def finished(steps: Steps) -> Encoded:
    """All steps at once."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what a generator returns is typed nowhere else
