"""A process that searches: a line of JSON for each question, and a line for each answer.

python -m tests.boxes.searcher OWNER_URL SECRET_KEY
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from subprocess import PIPE, Popen
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from bivelio_server.ai.port import LANGUAGE
from bivelio_server.app import compose_services, opened
from bivelio_server.installation import Installation, serving_url
from bivelio_server.kit.errors import NotFound
from bivelio_server.kit.providers import Provider
from bivelio_server.kit.secrets import SecretKey
from bivelio_server.settings import Settings
from tests.boxes.asking import ask
from tests.boxes.stocking import WordsModel


@dataclass
class Searcher:
    """Such a process, from where it was started."""

    process: Popen[str]

    async def ask(self, **question: Any) -> list[str] | None:
        """The texts found; None where there is no such box."""
        return await asyncio.to_thread(self._ask, question)

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question, default=str) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the process has ended"
        return json.loads(line)


@contextmanager
def searcher(installation: Installation) -> Iterator[Searcher]:
    assert installation.settings.secret_key is not None
    secret = installation.settings.secret_key.get_secret_value()
    command = [sys.executable, "-m", "tests.boxes.searcher", installation.owner_url, secret]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield Searcher(process)
        finally:
            process.kill()


async def main(owner_url: str, secret: str) -> None:
    secret_key = SecretKey(secret)
    settings = Settings(secret_key=SecretStr(secret), log_level="error")
    composed = compose_services(Installation(settings, owner_url, serving_url(owner_url, secret_key), secret_key, None))
    words = WordsModel()
    provider = Provider(LANGUAGE, real=lambda *_: words, simulated=lambda *_: words)
    async with opened(replace(composed, providers=composed.providers.with_(provider))) as services:
        while line := await asyncio.to_thread(sys.stdin.readline):
            question = json.loads(line)
            org_id, user_id = UUID(question.pop("org_id")), UUID(question.pop("user_id"))
            try:
                found = await ask(services, org_id, user_id, **question)
                answer = [each.text for each in found]
            except NotFound:
                answer = None
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
