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
    return any_of((one, other))


def any_of(shapes: Iterable[Shape]) -> Shape:
    """Of a value that is like one of them: what may be read of it, as what is plain may be null."""
    found = list({id(shape): shape for shape in shapes if not isinstance(shape, Plain)}.values())
    if len(found) < 2:
        return found[0] if found else PLAIN
    lists = [shape for shape in found if isinstance(shape, ListOf)]
    if len(lists) == len(found):
        return ListOf(any_of(shape.item for shape in lists))
    objects = [shape for shape in found if isinstance(shape, Fields)]
    return _any_fields(objects) if len(objects) == len(found) else UNKNOWN


def _any_fields(objects: list[Fields]) -> Fields:
    """Together they have all the fields that one of them has."""
    owners: dict[str, list[Fields]] = {}
    for fields in objects:
        for name in fields.named:
            owners.setdefault(name, []).append(fields)
    others = [fields.others for fields in objects if fields.others is not None]

    def maker(name: str) -> Callable[[], Shape]:
        return lambda: any_of([*(fields.named[name] for fields in owners[name]), *others])

    return Fields(LazyFields({name: maker(name) for name in owners}), any_of(others) if others else None)
