"""The durable task that makes a file searchable. Its handler is in `ingestion`."""

from typing import Final

#: Its params: `{"file_id": …}`. It works on the file's present `revision`, and ends where the file or its box is gone.
INGEST_TASK: Final = "boxes.ingest"
