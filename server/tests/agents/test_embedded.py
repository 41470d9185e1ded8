"""The classifier with the models that the server carries, no network and no key."""

from pathlib import Path

import pytest

from bivelio_server.ai.embedded.adapter import EmbeddedAI
from tests.agents.arranging import CLASSIFIER, code_of, invoke, refused
from tests.scripted import SCRIPTS
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_the_classifier_works_without_a_network(
    acme: Organization, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder: Path = tmp_path_factory.mktemp("models")
    SCRIPTS.give(acme.id, EmbeddedAI(folder))

    found = await invoke(
        acme.live, CLASSIFIER, "El cliente quiere cambiar su plan de suscripcion a Enterprise",
        context={"client_id": "ct_abc123", "current_plan": "pro"},
    )  # fmt: skip
    nonsense = await invoke(acme.live, CLASSIFIER, "asdf qwer zxcv")

    output = found["output"]
    assert (output["intent"], output["suggested_action"]) == ("plan_upgrade", "route_to_sales")
    assert output["confidence"] > 0.8
    assert output["extracted_entities"] == {"target_plan": "enterprise", "client_id": "ct_abc123"}
    assert (found["engine"], found["credits_consumed"]) == ("embedded", 1)
    assert nonsense["output"]["intent"] == "unknown"
    assert code_of(await refused(acme.live, "ag_email_draft")) == (422, "INTEGRATION_ERROR")
