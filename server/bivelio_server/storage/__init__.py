"""The adapters of storage, and the removal of what no row refers to any more."""

from bivelio_server.kit.storage import Storage
from bivelio_server.settings import Settings
from bivelio_server.storage.collecting import CHORES
from bivelio_server.storage.files import FilesOnDisk

__all__ = ["CHORES", "FilesOnDisk", "storage_of"]


def storage_of(settings: Settings) -> Storage:
    return FilesOnDisk(settings.storage_folder)
