"""What a function is, and how it reads its arguments. One that does not fit raises NoOverloadError.

The error names the value that did not fit where it is not plain from the arguments, as with members of a list.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from bivelio_server.workflows.expressions.errors import NoOverloadError
from bivelio_server.workflows.expressions.limits import MAX_NODES, Budget
from bivelio_server.workflows.expressions.numbers import Number
from bivelio_server.workflows.expressions.values import Value, is_number

Run = Callable[[Sequence[Value], Budget], Value]
"""Pays in advance for what it reads and builds."""


class Function(NamedTuple):
    """`least` and `most` count the arguments between brackets; a method's target comes before them."""

    least: int
    most: int
    run: Run

    @property
    def wanted(self) -> tuple[str, str]:
        """How many arguments it takes, in Spanish and English."""
        if self.most == MANY:
            plural = "" if self.least == 1 else "s"
            return f"al menos {self.least} argumento{plural}", f"at least {self.least} argument{plural}"
        count = f"{self.least}" if self.least == self.most else f"{self.least}–{self.most}"
        plural = "" if self.most == self.least == 1 else "s"
        return f"{count} argumento{plural}", f"{count} argument{plural}"


MANY = MAX_NODES
"""As many arguments as there may be."""


def simple(function: Callable[[Value], Value]) -> Run:
    """A function of one value that costs nothing beyond its step."""

    def run(arguments: Sequence[Value], _budget: Budget) -> Value:
        return function(arguments[0])

    return run


def as_method(function: Function) -> Function:
    """The same function called on its first argument."""
    most = function.most if function.most == MANY else function.most - 1
    return Function(function.least - 1, most, function.run)


def text_in(argument: Value) -> str:
    if isinstance(argument, str):
        return argument
    raise NoOverloadError


def texts_in(arguments: Sequence[Value]) -> list[str]:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    if len(texts) != len(arguments):
        raise NoOverloadError
    return texts


def whole_in(argument: Value) -> int:
    if type(argument) is int:
        return argument
    raise NoOverloadError


def number_in(argument: Value) -> Number:
    if is_number(argument):
        return argument
    raise NoOverloadError(argument)


def list_in(argument: Value) -> list[object]:
    if isinstance(argument, list):
        return argument
    raise NoOverloadError


def map_in(argument: Value) -> dict[str, object]:
    if isinstance(argument, dict):
        return argument
    raise NoOverloadError
