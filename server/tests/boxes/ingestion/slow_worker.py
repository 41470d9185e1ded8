"""`bivelio-server worker` whose model takes a moment for each batch, and writes down what it was asked to embed.

`python -m tests.boxes.ingestion.slow_worker SECONDS_AHEAD FILE`
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from bivelio_server import app
from bivelio_server.ai.port import LANGUAGE, Embedded
from bivelio_server.cli import main
from bivelio_server.kit.providers import Provider
from tests.scripted import Scripted
from tests.workflows.timely_worker import live_ahead

_BATCH_SECONDS = 0.1


@dataclass
class Slow(Scripted):
    journal: Path = Path()

    async def embed(self, texts: Sequence[str], kind: Any, model: str | None = None) -> Embedded:
        with self.journal.open("a") as lines:
            # Whoever is killed while they write leaves a piece of a line, which the next one begins after.
            lines.writelines(f"\n{sha256(text.encode()).hexdigest()}" for text in texts)
        await asyncio.sleep(_BATCH_SECONDS)
        return await super().embed(texts, kind, model)


def ask(slow: Slow) -> None:
    def model(*_: Any) -> Slow:
        return slow

    app.PROVIDERS = app.PROVIDERS.with_(Provider(LANGUAGE, real=model, simulated=model))  # type: ignore[misc] # for this process


if __name__ == "__main__":
    live_ahead(float(sys.argv[1]))
    ask(Slow(journal=Path(sys.argv[2])))
    main(["worker"])
