"""How a file of a kind is read."""

from bivelio_server.reading.child import pdf
from bivelio_server.reading.child.task import Task
from bivelio_server.reading.port import Reading


def read(task: Task) -> Reading:
    """Raises Refused."""
    return pdf.read(task)
