"""What documents ask of models of language counts like what agents ask."""

import pytest

from bivelio_server.documents.fields import Classification
from bivelio_server.kit.errors import IntegrationFailed
from tests.documents.arranging import an_extraction, asked, processed, uploaded
from tests.documents.conftest import Scripts
from tests.documents.scripted import ScriptedModel
from tests.usage.arranging import credits_of
from tests.world import Organization

pytestmark = pytest.mark.anyio

EXTRACT, CLASSIFY = "/v1/documents/extract", "/v1/documents/classify"
SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


def model_of(scripts: Scripts, *, fails: bool = False) -> None:
    """Rules that doubt, and a model to ask."""
    scripts.extraction = an_extraction(confidence=0.5, total=1210)
    scripts.classification = Classification(None, 0.3, None, None, None)
    scripts.model = ScriptedModel()
    if fails:
        scripts.model.error = IntegrationFailed(details={"engine": "gemini", "model": "scripted-model"})


async def test_every_answer_counts(acme: Organization, scripts: Scripts) -> None:
    model_of(scripts)
    reference = {"document_id": (await uploaded(acme.live))["document_id"]}

    await acme.live.call(EXTRACT, {**reference, "document_type": "invoice"})
    await acme.live.call(EXTRACT, {**reference, "json_schema": SCHEMA})
    await acme.live.call(CLASSIFY, {**reference, "categories": ["a", "b"]})

    assert await asked(acme.live) == [("gemini", "scripted-model", 4, 0)]


async def test_every_failure_counts(acme: Organization, scripts: Scripts) -> None:
    model_of(scripts, fails=True)
    reference = {"document_id": (await uploaded(acme.live))["document_id"]}

    await acme.live.call(EXTRACT, {**reference, "document_type": "invoice"})
    refused = await acme.live.post(EXTRACT, {**reference, "json_schema": SCHEMA})
    await acme.live.call(CLASSIFY, reference)

    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "INTEGRATION_ERROR")
    assert await asked(acme.live) == [("gemini", "scripted-model", 3, 3)]
    assert await credits_of(acme.live) == (5, 0, 49_995)


@pytest.mark.usefixtures("worker")
async def test_processing_counts(acme: Organization, scripts: Scripts) -> None:
    model_of(scripts)

    await processed(acme.live, await uploaded(acme.live, auto_classify=True, auto_extract=True))

    assert await asked(acme.live) == [("gemini", "scripted-model", 2, 0)]


async def test_rules_that_are_certain_ask_nobody(acme: Organization) -> None:
    await acme.live.call(EXTRACT, {"document_id": (await uploaded(acme.live))["document_id"]})

    assert await asked(acme.live) == []
