"""What is not kept for ever: each feature declares what of its own goes, and after how long."""

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class OrganisationPruning:
    """History of which each organisation keeps as many days as its retention setting of this name says.

    `function` is a definer function `(organisation, before, limit)` that removes the oldest rows and returns how many.
    """

    setting: str
    function: str


@dataclass(frozen=True, slots=True)
class OrganisationLimit:
    """History of which each organisation keeps as many as its retention setting of this name says, the newest.

    `function` is a definer function `(organisation, kept, limit)` that removes others and returns how many.
    """

    setting: str
    function: str


@dataclass(frozen=True, slots=True)
class Pruning:
    """What every installation removes once it is this old. `function` is a definer function `(before, limit)`."""

    function: str
    kept: timedelta


AnyPruning: TypeAlias = OrganisationPruning | OrganisationLimit | Pruning
