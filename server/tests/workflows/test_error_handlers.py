"""The steps that handle the error of a whole run: they may wait, ask and try again, like any others."""

import pytest

from bivelio_server.kit.clock import MovableClock
from bivelio_server.kit.context import Services
from tests.workflows.arranging import ended, later, reached, started, step_of, workflow
from tests.workflows.deciding import approval, decided, waiting_in
from tests.workflows.test_control_steps import HOUR, fail, pause, say
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_it_may_wait(acme: Organization, services: Services, clock: MovableClock) -> None:
    made = await workflow(acme.live, fail("bad"), on_error=[pause("p"), say("told", "{{ error.step_id }}")])
    waiting = await reached(acme.live, await started(acme.live, made), "waiting")

    later(services, clock, seconds=HOUR)
    found = await ended(acme.live, waiting, "failed")

    assert step_of(found, "told")["output"] == {"value": "bad"}
    assert step_of(found, "p")["started_at"] == step_of(waiting, "p")["started_at"]


async def test_it_may_ask_somebody(acme: Organization) -> None:
    made = await workflow(acme.live, fail("bad"), on_error=[approval()])
    waiting = await reached(acme.live, await started(acme.live, made, total=7), "waiting")
    [asked] = await waiting_in(acme.live, waiting)

    await decided(acme.person("admin"), asked)
    found = await ended(acme.live, waiting, "failed")

    assert step_of(found, "ok")["output"]["decision"] == "approved"
    assert await waiting_in(acme.live, found, "cancelled", count=0) == []
