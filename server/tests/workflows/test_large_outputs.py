"""Large outputs are kept in storage: runs go on with them, and whoever looks sees what is there."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bivelio_server.app import HANDLERS
from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from bivelio_server.kit.storage import StorageFailed, StorageKey
from bivelio_server.storage import FilesOnDisk
from bivelio_server.workflows.running import large
from tests.storage.arranging import files_of
from tests.workflows.arranging import (
    Json,
    contact_names,
    create_contact,
    ended,
    events_of,
    instances,
    later,
    reached,
    run,
    started,
    step_of,
    workflow,
)
from tests.working import working
from tests.world import Organization

pytestmark = pytest.mark.anyio

TEXT = "á" * 25_000
#: Some 50 KB, which is more than a row takes.
BIG: Json = {"id": "big", "set": {"text": "{{ input.text }}", "total": 7}}
SMALL: Json = {"id": "small", "set": {"total": "{{ steps.big.output.total + 1 }}"}}
PAUSE: Json = {"id": "pause", "wait": {"seconds": 3600}}


class Watched(FilesOnDisk):
    """Storage that tells what was read and written, and fails as often as it is told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.read: list[str] = []
        self.written: list[str] = []
        self.failures = 0

    async def put(self, key: StorageKey, content: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise StorageFailed("no room")
        self.written.append(key)
        return await super().put(key, content)

    async def get(self, key: StorageKey) -> bytes:
        self.read.append(key)
        return await super().get(key)


@pytest.fixture
def storage(services: Services) -> Watched:
    return Watched(services.settings.storage_folder)


@pytest.fixture(autouse=True)
async def worker(services: Services, storage: Watched) -> AsyncIterator[None]:
    async with working(replace(services, storage=storage), HANDLERS):
        yield


async def test_the_row_refers_to_a_file_and_the_run_shows_it_whole(
    acme: Organization, services: Services, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, BIG, SMALL)

    found = await run(acme.live, made, text=TEXT)

    assert step_of(found, "big")["output"] == {"text": TEXT, "total": 7}
    assert step_of(found, "big")["output_truncated"] is False
    assert found["output"] == {"total": 8}
    rows = owner.execute(
        "select step_id, output is null, output_ref is not null from workflow_steps where org_id = %s order by 1",
        (acme.id,),
    ).fetchall()
    assert rows == [("big", True, True), ("small", False, False)]
    # The input of the run, which was as long, and the output of the step.
    assert len(await files_of(services, acme)) == 2


async def test_only_what_an_expression_refers_to_is_loaded(
    acme: Organization, services: Services, clock: MovableClock, storage: Watched
) -> None:
    other = {"id": "other", "set": {"text": "{{ input.text }}"}}
    made = await workflow(acme.live, BIG, other, PAUSE, SMALL)
    waiting = await reached(acme.live, await started(acme.live, made, text=TEXT), "waiting")
    before = list(storage.read)

    later(services, clock, hours=1)
    found = await ended(acme.live, waiting)

    assert found["output"] == {"total": 8}
    assert len(storage.read) - len(before) == 1
    assert len(set(storage.written)) == 2


async def test_a_list_of_runs_says_that_it_leaves_them_out(acme: Organization) -> None:
    made = await workflow(acme.live, BIG)
    await run(acme.live, made, text=TEXT)

    [listed] = await instances(acme.live)

    assert (listed["input"], listed["input_truncated"]) == (None, True)
    assert (listed["output"], listed["output_truncated"]) == (None, True)


async def test_who_waits_for_the_end_gets_it_whole_and_the_event_says_where_it_is(
    acme: Organization, owner: psycopg.Connection
) -> None:
    made = await workflow(acme.live, BIG)

    reply = await acme.live.call(
        "/v1/workflows/execute", {"workflow_id": made["id"], "input": {"text": TEXT}, "async": False}
    )

    assert reply["output"] == {"text": TEXT, "total": 7}
    assert reply["output_truncated"] is False
    [event] = events_of(owner, acme, "workflow.completed")
    assert (event["data"]["output"], event["data"]["output_truncated"]) == (None, True)


async def test_each_value_can_be_asked_for(acme: Organization, rival: Organization) -> None:
    made = await workflow(acme.live, BIG, SMALL)
    found = await run(acme.live, made, text=TEXT)
    asked = {"instance_id": found["instance_id"]}

    big = await acme.live.call("/v1/workflows/get_output", {**asked, "path": "big"})
    whole = await acme.live.call("/v1/workflows/get_output", asked)
    input_ = await acme.live.call("/v1/workflows/get_output", {**asked, "what": "input"})
    absent = await acme.live.post("/v1/workflows/get_output", {**asked, "path": "nowhere"})
    foreign = await rival.live.post("/v1/workflows/get_output", {**asked, "path": "big"})

    assert big == {"value": {"text": TEXT, "total": 7}, "bytes": 50_021}
    assert (whole["value"], input_["value"]) == ({"total": 8}, {"text": TEXT})
    assert (absent.status_code, absent.json()["error"]["details"]) == (404, {"field": "path"})
    assert foreign.status_code == 404


async def test_a_reply_holds_as_much_as_there_is_room_for(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bivelio_server.workflows.outputs.SHOWN_BYTES", 160_000)
    steps = [{**BIG, "id": f"big_{number}"} for number in range(4)]
    made = await workflow(acme.live, *steps, {"id": "end", "set": {"done": True}})

    found = await run(acme.live, made, text=TEXT)

    # The input of the run comes first, two outputs have room beside it.
    assert found["input"] == {"text": TEXT}
    assert [step["output_truncated"] for step in found["steps"]] == [False, False, True, True, False]
    assert [step["output"] is None for step in found["steps"]] == [False, False, True, True, False]


async def test_the_outputs_of_a_loop_are_put_together(acme: Organization, clock: MovableClock) -> None:
    each = {"id": "each", "for_each": "{{ [1, 2, 3] }}", "as": "n", "steps": [
        {"id": "made", "set": {"text": "{{ input.text }}", "n": "{{ n }}"}}]}  # fmt: skip
    last = {"id": "last", "set": {
        "n": "{{ steps.each.output.results[2].output.n }}",
        "length": "{{ size(steps.each.output.results[1].output.text) }}"}}  # fmt: skip
    made = await workflow(acme.live, each, last)

    found = await run(acme.live, made, text=TEXT)

    results = step_of(found, "each")["output"]["results"]
    assert [(result["output"]["n"], result["output"]["text"] == TEXT) for result in results] == [
        (1, True), (2, True), (3, True)
    ]  # fmt: skip
    assert found["output"] == {"n": 3, "length": len(TEXT)}


async def test_branches_and_choices_pass_them_on(acme: Organization) -> None:
    both = {"id": "both", "parallel": {
        "left": [{**BIG, "id": "one"}],
        "right": [{"id": "maybe", "if": "{{ true }}", "then": [{**BIG, "id": "two"}], "else": []}]}}  # fmt: skip
    made = await workflow(acme.live, both, {"id": "end", "stop": {
        "status": "completed", "output": {"text": "{{ steps.both.output.branches.left.text }}"}}})  # fmt: skip

    found = await run(acme.live, made, text=TEXT)

    assert found["status"] == "completed"
    assert found["output"] == {"text": TEXT}
    assert step_of(found, "both")["output"]["branches"]["left"]["text"] == TEXT


async def test_an_output_beyond_the_limit_fails_its_step(acme: Organization) -> None:
    """Each pass is fine, but not all of them together."""
    each = {"id": "each", "for_each": "{{ input.items }}", "as": "n", "steps": [
        {"id": "made", "set": {"text": "{{ input.text + input.text }}"}}]}  # fmt: skip
    made = await workflow(acme.live, each)

    found = await run(acme.live, made, text=TEXT, items=list(range(60)))

    assert found["status"] == "failed"
    assert (found["error"]["path"], found["error"]["details"]["field"]) == ("each", "output")
    assert found["error"]["details"]["constraint"] == "max_length"
    assert str(5 * 1024 * 1024) in found["error"]["message"]
    assert sum(step["status"] == "completed" for step in found["steps"]) == 60


async def test_a_run_may_store_only_so_much(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "MAX_STORED_BYTES", 180_000)
    steps = [{**BIG, "id": f"big_{number}"} for number in range(3)]
    made = await workflow(acme.live, create_contact(), *steps)

    found = await run(acme.live, made, text=TEXT)

    assert found["status"] == "failed"
    assert (found["error"]["step_id"], found["error"]["details"]["field"]) == ("big_2", "output")
    assert await contact_names(acme.live) == ["Maria Garcia"]


async def test_a_run_with_much_in_its_rows_stores_smaller_values_too(
    acme: Organization, owner: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "MAX_INLINE_BYTES", 20_000)
    steps = [{"id": f"made_{number}", "set": {"text": "{{ input.text }}"}} for number in range(4)]
    made = await workflow(acme.live, *steps, {"id": "end", "set": {"n": "{{ size(steps.made_3.output.text) }}"}})

    found = await run(acme.live, made, text="x" * 10_000)

    stored = owner.execute(
        "select step_id from workflow_steps where org_id = %s and output_ref is not null order by 1", (acme.id,)
    ).fetchall()
    assert found["output"] == {"n": 10_000}
    assert [step["output"]["text"] == "x" * 10_000 for step in found["steps"][:4]] == [True] * 4
    assert ("made_3",) in stored
    assert ("made_0",) not in stored


async def test_a_run_whose_output_is_lost_fails_and_says_so(
    acme: Organization, services: Services, clock: MovableClock
) -> None:
    made = await workflow(acme.live, BIG, PAUSE, SMALL)
    waiting = await reached(acme.live, await started(acme.live, made, text=TEXT), "waiting")
    await services.storage.delete_prefix(f"{acme.id}/")

    later(services, clock, hours=1)
    found = await ended(acme.live, waiting, "failed")
    asked = await acme.live.post(
        "/v1/workflows/get_output", {"instance_id": found["instance_id"], "path": "big", "what": "output"}
    )

    assert found["error"]["step_id"] == "small"
    assert "almacenamiento" in found["error"]["message"]
    assert (step_of(found, "big")["output"], step_of(found, "big")["output_truncated"]) == (None, True)
    assert asked.status_code == 404


async def test_storage_that_is_away_holds_a_run_up_and_nothing_more(acme: Organization, storage: Watched) -> None:
    storage.failures = 2
    made = await workflow(acme.live, create_contact(), BIG, create_contact("second", name="Second"))

    found = await run(acme.live, made, text=TEXT)

    assert storage.failures == 0
    assert await contact_names(acme.live) == ["Maria Garcia", "Second"]
    assert step_of(found, "big")["attempts"] == 1


async def test_what_a_step_was_given_is_stored_too(acme: Organization, services: Services) -> None:
    made = await workflow(acme.live, {"id": "made", "set": {"n": 1}}, create_contact(
        custom_fields={"text": "{{ input.text }}"}))  # fmt: skip

    found = await run(acme.live, made, text=TEXT)

    given = step_of(found, "contact")
    assert found["status"] == "completed", found["error"]
    assert given["input"]["custom_fields"] == {"text": TEXT}
    assert given["output"]["custom_fields"] == {"text": TEXT}
    assert len(await files_of(services, acme)) == 3


async def test_the_items_of_loops_count_for_what_a_run_may_store(
    acme: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each pass of the outer loop keeps a list of its own, for a retry from within it."""
    monkeypatch.setattr(large, "MAX_STORED_BYTES", 200_000)
    inner = {"id": "inner", "for_each": "{{ input.items }}", "as": "item", "steps": [{"id": "made", "set": {"n": 1}}]}
    outer = {"id": "outer", "for_each": list(range(10)), "steps": [inner]}
    items = [{"text": "x" * 15_000} for _ in range(3)]

    found = await run(acme.live, await workflow(acme.live, outer), items=items)

    assert (found["status"], found["error"]["details"]["field"]) == ("failed", "for_each")
    assert found["error"]["path"] == "outer[3].inner"


async def test_the_items_of_a_long_loop_are_stored_once(
    acme: Organization, services: Services, clock: MovableClock, storage: Watched, owner: psycopg.Connection
) -> None:
    each = {"id": "each", "for_each": "{{ input.items }}", "as": "item", "concurrency": 2, "steps": [
        {"id": "pause", "wait": {"seconds": 3600}}, {"id": "made", "set": {"n": "{{ item.n }}"}}]}  # fmt: skip
    made = await workflow(acme.live, each)
    items = [{"n": number, "text": "x" * 15_000} for number in range(4)]

    going = await reached(acme.live, await started(acme.live, made, items=items), "waiting")
    written = len(storage.written)
    for _ in range(3):
        later(services, clock, hours=1)
        await reached(acme.live, going, "waiting", "completed")
    found = await ended(acme.live, going)

    assert [result["output"]["n"] for result in found["output"]["results"]] == [0, 1, 2, 3]
    assert len(storage.written) == written
    row = owner.execute(
        "select prepared is null, prepared_ref is not null from workflow_steps where org_id = %s and path = 'each'",
        (acme.id,),
    ).fetchone()
    assert row == (True, True)


@pytest.mark.parametrize("limit", ["MAX_BYTES", "MAX_HELD_BYTES"])
async def test_a_run_whose_own_output_is_too_large_fails(
    acme: Organization, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    """Each step's is fine, but not what the run makes of them, or has to look at for it."""
    monkeypatch.setattr(large, limit, 75_000)
    twice = {"id": "twice", "set": {"text": "{{ input.text }}"}}
    output = {"one": "{{ steps.big.output.text }}", "other": "{{ steps.twice.output.text }}"}

    found = await run(acme.live, await workflow(acme.live, BIG, twice, output=output), text=TEXT)

    assert (found["status"], found["error"]["details"]["field"]) == ("failed", "output")
    assert [step["status"] for step in found["steps"]] == ["completed", "completed"]
