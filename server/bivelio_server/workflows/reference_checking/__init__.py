"""Whether the names in expressions are there, as far as that is known when a workflow is saved.

A scope says what every name is like that an expression may use at its place (`Shape`): an object of certain fields, a
list of something, a plain value, or unknown. What is unknown has no faults.
"""

from bivelio_server.workflows.reference_checking.inference import Fault, Scope, inferred
from bivelio_server.workflows.reference_checking.outputs import ERROR, RUN, Known
from bivelio_server.workflows.reference_checking.schemas import shape_of_model, shape_of_schema
from bivelio_server.workflows.reference_checking.shapes import PLAIN, UNKNOWN, Fields, ListOf, Shape
from bivelio_server.workflows.reference_checking.texts import Reading, TooMuchToRead, lone_shape

__all__ = [
    "ERROR",
    "PLAIN",
    "RUN",
    "UNKNOWN",
    "Fault",
    "Fields",
    "Known",
    "ListOf",
    "Reading",
    "Scope",
    "Shape",
    "TooMuchToRead",
    "inferred",
    "lone_shape",
    "shape_of_model",
    "shape_of_schema",
]
