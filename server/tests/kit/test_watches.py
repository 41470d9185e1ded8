"""Watching rows change: one look for all who watch."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import cast
from uuid import uuid4

import pytest

from bivelio_server.kit import watches
from bivelio_server.kit.db import Database
from bivelio_server.kit.watches import Key, Watches

pytestmark = pytest.mark.anyio

SECONDS = 10


class Rows:
    """Rows that the test changes, and which of them each look was for."""

    def __init__(self) -> None:
        self.revisions: dict[Key, int] = {}
        self.looks: list[set[Key]] = []
        self.failure: Exception | None = None

    async def look(self, _database: Database, keys: Sequence[Key]) -> Mapping[Key, object]:
        self.looks.append(set(keys))
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return {key: self.revisions[key] for key in keys if key in self.revisions}

    def add(self) -> Key:
        key = (uuid4(), "live", "wfi_1")
        self.revisions[key] = 1
        return key

    async def looked(self, times: int = 2) -> None:
        """As often as that from now on."""
        enough = len(self.looks) + times
        async with asyncio.timeout(SECONDS):
            while len(self.looks) < enough:  # noqa: ASYNC110 - nobody tells of a look
                await asyncio.sleep(0.002)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    monkeypatch.setattr(watches, "LOOK_SECONDS", 0.005)
    monkeypatch.setattr(watches, "_PAUSE_AFTER_FAILURE_SECONDS", 0.005)
    return Rows()


@pytest.fixture
def watched(rows: Rows) -> Watches:
    return Watches(cast("Database", None), {"rows": rows.look}, at_once=1)


async def seen(changed: asyncio.Event) -> None:
    await asyncio.wait_for(changed.wait(), SECONDS)
    changed.clear()


async def test_who_watches_looks_first_and_again_after_each_change(rows: Rows, watched: Watches) -> None:
    key = rows.add()
    with watched.watch("rows", key) as changed:
        assert changed.is_set()
        await rows.looked()
        changed.clear()
        await rows.looked()
        assert not changed.is_set()

        rows.revisions[key] = 2
        await seen(changed)
        del rows.revisions[key]
        await seen(changed)


async def test_what_this_process_changes_is_seen_at_once(rows: Rows, watched: Watches) -> None:
    key, other = rows.add(), rows.add()
    with watched.watch("rows", key) as changed, watched.watch("rows", other) as unchanged:
        await rows.looked()
        changed.clear()
        unchanged.clear()

        watched.hint("rows", key)

        assert (changed.is_set(), unchanged.is_set()) == (True, False)


async def test_all_who_watch_share_one_look_and_nobody_looks_for_nobody(rows: Rows, watched: Watches) -> None:
    keys = [rows.add() for _ in range(5)]
    with ExitStack() as stack:
        for key in (*keys, *keys):
            stack.enter_context(watched.watch("rows", key))
        await rows.looked()
        assert rows.looks[-1] == set(keys)

    looks = len(rows.looks)
    going = [task for task in asyncio.all_tasks() if task.get_name() == "watches"]
    await asyncio.wait(going, timeout=SECONDS) if going else None
    assert len(rows.looks) == looks


async def test_watching_outlasts_a_look_that_fails(rows: Rows, watched: Watches) -> None:
    key = rows.add()
    with watched.watch("rows", key) as changed:
        await rows.looked()
        rows.failure = ConnectionError("away")
        await rows.looked()
        changed.clear()

        rows.revisions[key] = 2

        await seen(changed)
