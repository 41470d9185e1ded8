"""What is known of a value before there is one: which fields it has, and what its items are like."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


class Unknown:
    """It may be anything."""


class Plain:
    """Neither fields nor items: a text, a number, true, false or null."""


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """An object. `others` is what fields are like that `named` does not name; None: there are no others."""

    named: Mapping[str, "Shape"]
    others: "Shape | None" = None


@dataclass(frozen=True, slots=True, eq=False)
class ListOf:
    item: "Shape"


Shape: TypeAlias = Unknown | Plain | Fields | ListOf
UNKNOWN: Final = Unknown()
PLAIN: Final = Plain()


class LazyFields(Mapping[str, Shape]):
    """Shapes that are found out when they are asked for, once: those of an object that holds others of its kind."""

    def __init__(self, makers: Mapping[str, Callable[[], Shape]]) -> None:
        self._makers = makers
        self._made: dict[str, Shape] = {}

    def __getitem__(self, name: str) -> Shape:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def either(one: Shape, other: Shape) -> Shape:
    """Of a value that is like one or like the other: what may be read of it, as the rest may be absent."""
    if one is other or isinstance(other, Plain):
        return one
    if isinstance(one, Plain):
        return other
    if isinstance(one, ListOf) and isinstance(other, ListOf):
        return ListOf(either(one.item, other.item))
    if isinstance(one, Fields) and isinstance(other, Fields):
        return _either_fields(one, other)
    return UNKNOWN


def any_of(shapes: Iterable[Shape]) -> Shape:
    """Of a value that is like one of them."""
    found: Shape = PLAIN
    for shape in shapes:
        found = either(found, shape)
    return found


def _either_fields(one: Fields, other: Fields) -> Fields:
    others = one.others if other.others is None else other.others if one.others is None else UNKNOWN

    def maker(name: str) -> Callable[[], Shape]:
        return lambda: either(_field(one, name), _field(other, name))

    return Fields(LazyFields({name: maker(name) for name in (*one.named, *other.named)}), others)


def _field(fields: Fields, name: str) -> Shape:
    if name in fields.named:
        return fields.named[name]
    return PLAIN if fields.others is None else fields.others
