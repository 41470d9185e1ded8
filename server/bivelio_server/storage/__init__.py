"""The adapters of storage, and the removal of what no row refers to any more."""

from bivelio_server.storage.collecting import CHORES
from bivelio_server.storage.files import FilesOnDisk

__all__ = ["CHORES", "FilesOnDisk"]
