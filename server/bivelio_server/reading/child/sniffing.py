"""What a file is, and whether it can be opened at all."""

import io
import zipfile

from bivelio_server.kit.media_types import OLE, media_type_of
from bivelio_server.reading.child.task import Task, refuse

_ZIP = b"PK\x03\x04"
_MAX_ENTRIES = 10_000
#: Bytes that an office file may take once unpacked.
MAX_UNPACKED = 300_000_000


def sniffed(task: Task) -> str:
    """The MIME type. Raises Refused for what is encrypted, or unpacks to too much."""
    if task.content.startswith(_ZIP):
        _check_archive(task.content)
    media_type = media_type_of(task.content, task.extension)
    # Office files that are protected by a password are wrapped in the old format.
    if media_type == OLE and "EncryptedPackage".encode("utf-16-le") in task.content:
        refuse("encrypted")
    return media_type


def _check_archive(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()[:_MAX_ENTRIES]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OSError):
        refuse("damaged")
    if any(entry.flag_bits & 1 for entry in entries):
        refuse("encrypted")
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        refuse("max_bytes", allowed=MAX_UNPACKED)
