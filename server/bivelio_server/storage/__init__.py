"""The adapters of storage, and the removal of what no row refers to any more."""

from importlib import import_module
from typing import cast

from bivelio_server.kit.storage import Storage
from bivelio_server.settings import Settings
from bivelio_server.storage.collecting import CHORES
from bivelio_server.storage.files import FilesOnDisk

__all__ = ["CHORES", "FilesOnDisk", "storage_of"]


def storage_of(settings: Settings) -> Storage:
    if settings.s3_bucket is None:
        return FilesOnDisk(settings.storage_folder)
    # Its library takes 10 MB of memory, which who keeps files on disk does without.
    return cast("Storage", import_module("bivelio_server.storage.s3").S3Storage(settings))
