"""How what was extracted compares with the truth, field by field."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bivelio_server.documents.fields import Extraction

SURE = 0.9


@dataclass
class Score:
    """`items` are lines of invoices, movements and parties, right where all of their fields are. `sure` counts the values with a confidence of 0.9 or more, `surely_wrong` those of them that are wrong."""

    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    missing: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    sure: int = 0
    surely_wrong: list[str] = field(default_factory=list)
    items: int = 0
    items_right: int = 0
    totals_held: int = 0
    totals_held_right: int = 0
    documents: int = 0

    def add(self, truth: Mapping[str, Any], extraction: Extraction, name: str) -> None:
        self.documents += 1
        values = {one.path: one for one in extraction.fields}
        pairs = _aligned(truth, extraction.extracted)
        items: dict[str, bool] = {}
        for path, expected, got_path in pairs:
            got = values.get(got_path) if got_path else None
            right = self._count(_generic(path), expected, got, f"{name}: {path} {expected!s}")
            if "[" in path:
                item = path[: path.index("]") + 1]
                items[item] = items.get(item, True) and right
        self.items += len(items)
        self.items_right += sum(items.values())
        self._count_extra(truth, values, {got for _, _, got in pairs if got}, name)
        total = values.get("total")
        if total is not None and total.confidence >= SURE and "total" in truth:
            self.totals_held += 1
            self.totals_held_right += _same(truth["total"], total.value)

    def _count(self, name: str, expected: Any, got: Any, told: str) -> bool:
        """Whether it is right; nothing, where the document says nothing, is."""
        if got is None:
            if expected is not None:
                self.missing[name] += 1
            return expected is None
        right = expected is not None and _same(expected, got.value)
        (self.right if right else self.wrong)[name] += 1
        if got.confidence >= SURE:
            self.sure += 1
            if not right:
                self.surely_wrong.append(f"{told} != {got.value!s} ({got.confidence})")
        return right

    def _count_extra(self, truth: Mapping[str, Any], values: Mapping[str, Any], used: set[str], name: str) -> None:
        """Items that are not in the document."""
        for path, got in values.items():
            if path not in used and "[" in path and path.split("[")[0] in truth:
                self._count(_generic(path), None, got, f"{name}: {path}")


def _aligned(truth: Any, got: Any, path: str = "", got_path: str | None = "") -> list[tuple[str, Any, str | None]]:
    """Path, true value and path of what was extracted for it. Items are matched by what they have in common."""
    if isinstance(truth, Mapping):
        return [
            pair
            for name, value in truth.items()
            for pair in _aligned(value, got.get(name) if isinstance(got, Mapping) else None, _join(path, name),
                                 _join(got_path, name) if got_path is not None else None)
        ]  # fmt: skip
    if isinstance(truth, list):
        matches = _matched(truth, got or [])
        return [
            pair
            for index, value in enumerate(truth)
            for pair in _aligned(value, (got or [])[matches[index]] if matches[index] is not None else None, f"{path}[{index}]",
                                 f"{got_path}[{matches[index]}]" if matches[index] is not None and got_path is not None else None)
        ]  # fmt: skip
    return [(path, truth, got_path)]


def _matched(truth: Sequence[Any], got: Sequence[Any]) -> list[int | None]:
    free = list(range(len(got)))
    matches: list[int | None] = []
    for item in truth:
        best = max(free, key=lambda index: (_common(item, got[index]), -index), default=None)
        if best is not None and _common(item, got[best]) > 0:
            free.remove(best)
            matches.append(best)
        else:
            matches.append(None)
    return matches


def _common(item: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(
        value is not None and other.get(name) is not None and _same(value, other[name]) for name, value in item.items()
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _generic(path: str) -> str:
    return re.sub(r"\[\d+\]", "[]", path)


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Decimal | int) and isinstance(other, Decimal | int):
        return Decimal(one) == Decimal(other)
    return _normal(str(one)) == _normal(str(other))


def _normal(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .,")


def share(score: Score, *names: str) -> tuple[int, int]:
    """Of the values of these fields: how many are right, and how many there are. Without names, of all but items."""
    wanted = names or tuple(name for name in {*score.right, *score.wrong, *score.missing} if "[]" not in name)
    right = sum(score.right[name] for name in wanted)
    return right, right + sum(score.wrong[name] + score.missing[name] for name in wanted)


def lines(score: Score) -> Iterator[str]:
    for name in sorted({*score.right, *score.wrong, *score.missing}):
        right, wrong, missing = score.right[name], score.wrong[name], score.missing[name]
        whole = right + wrong + missing
        if whole:
            yield f"    {name:28} {100 * right / whole:6.1f} %   wrong {wrong:4}   missing {missing:4}   of {whole:4}"
