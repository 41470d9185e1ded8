"""Workers that are killed in the middle of a file of many chunks: ready once, and hardly anything embedded twice."""

import random
import sys
from collections import Counter
from pathlib import Path

import anyio
import pytest

from bivelio_server.boxes.ingestion.embedding import BATCH
from bivelio_server.installation import Installation
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.acceptance.installation import until
from tests.boxes.ingestion import slow_worker
from tests.boxes.ingestion.arranging import Ingesting, paragraphs
from tests.workflows.processes import Workers, workers
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("alone")]

CHUNKS, KILLS = 640, 4
MODEL = "scripted-e1"


async def test_killed_again_and_again(
    acme: Organization, services: Services, installation: Installation, clock: MovableClock, tmp_path: Path
) -> None:
    box = await Ingesting(acme, services).create()
    file_id, moments = await box.add(paragraphs(range(CHUNKS)), "killed again and again.txt"), random.Random(5)
    journal = tmp_path / "embedded"
    journal.touch()

    with workers(installation, clock, BIVELIO_STORAGE_DIR=str(installation.settings.storage_folder)) as crowd:
        for number in range(KILLS):
            before = len(box.vectors(MODEL))
            _start(crowd, journal)
            await until(lambda: len(box.vectors(MODEL)) > before, 60)  # noqa: B023 - awaited in this very round
            await anyio.sleep(moments.uniform(0, 0.2))
            crowd.kill(number)
            assert box.file(file_id)["state"] == "processing", "all was done before the last kill"
        _start(crowd, journal)
        row = await box.ended(file_id, seconds=60)

    # The workers' chores may embed for other boxes meanwhile, whose texts have other names in front of them; and who is
    # killed may leave a torn line.
    own = {digest.hex() for digest in box.vectors(MODEL)}
    embedded = Counter(line for line in journal.read_text().split() if line in own)
    assert (row["chunk_count"], row["ready_revision"], row["seq"]) == (CHUNKS, 1, 1)
    assert box.traces(file_id) == {"box_pages": 1, "box_chunks": CHUNKS, "box_segments": 1}
    assert len(embedded) == len(box.vectors(MODEL)) == CHUNKS
    assert sum(embedded.values()) - CHUNKS <= KILLS * BATCH
    [segment] = box.segments(file_id).values()
    assert len(segment.vectors) == CHUNKS
    [(told,)] = box.rows(
        "select count(*) from events where org_id = %s and event = 'box.file_ready'", box.organization.id
    )
    assert told == 1


def _start(crowd: Workers, journal: Path) -> None:
    crowd.start(
        sys.executable, "-m", slow_worker.__name__, str(crowd.clock.ahead.total_seconds()), str(journal)
    )  # fmt: skip
