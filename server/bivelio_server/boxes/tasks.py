"""The durable tasks of boxes. Their handlers are in `ingestion` and `generations`."""

from typing import Final

#: Its params: `{"file_id": …}`. It works on the file's present `revision`, and ends where the file or its box is gone.
INGEST_TASK: Final = "boxes.ingest"
#: Among its params: how many causes lie behind it, so that no workflow starts itself for ever.
DEPTH: Final = "depth"
#: Its params: `{"box_id": …}`. It brings the box to the embedding model that is configured.
REEMBED_TASK: Final = "boxes.reembed"
