"""What the public API leaves behind: the request log, the figures, the document."""

import httpx2
import pytest

from bivelio_server.app import FEATURES, openapi_document
from bivelio_server.kit.operations import Catalogue
from tests.boxes.public.arranging import Asker, Scripted, asker, make_box
from tests.observability.scrape import scraped
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_requests_stand_in_the_log_with_the_code_that_was_told(acme: Organization, scripted: Scripted) -> None:
    made = await acme.owner.call("/v1/boxes/keys/create", {"name": "Logged"})
    key = Asker(acme.world.http, made["key"])
    await key.check()
    await key.retrieve("box_unknown", "a question that nobody else should read")

    logged = (await acme.live.call("/v1/requests/list", {"key_id": made["id"]}))["requests"]

    assert [(each["operation"], each["status"], each["error_code"]) for each in logged] == [
        ("public.retrieve_documents", 403, "B3002"), ("public.check", 200, None),
    ]  # fmt: skip
    assert logged[0]["actor"] == f"key:{made['id']}"
    assert logged[0]["environment"] == "live"
    assert "question" not in str(logged)


async def test_they_count_by_name_and_code_and_units_by_what_became_of_them(
    acme: Organization, http: httpx2.AsyncClient, scripted: Scripted
) -> None:
    before = await scraped(http)
    await asker(acme).retrieve(make_box(acme))
    await asker(acme).retrieve("box_unknown")
    after = await scraped(http)

    def risen(name: str, **labels: str) -> float:
        return after.value(name, **labels) - before.value(name, **labels)

    assert risen("bivelio_requests_total", operation="public.retrieve_documents", status="200") == 1
    assert risen("bivelio_requests_total", operation="public.retrieve_documents", status="403") == 1
    assert risen("bivelio_refusals_total", code="B3002") == 1
    assert risen("bivelio_box_units_total", outcome="spent", environment="live") == 1


async def test_usage_tells_how_often_a_key_asked(acme: Organization) -> None:
    made = await acme.owner.call("/v1/boxes/keys/create", {"name": "Counted"})
    for _ in range(3):
        await Asker(acme.world.http, made["key"]).check()

    [row] = (await acme.live.call("/v1/usage/list", {"group_by": ["key"], "key_id": made["id"]}))["usage"]

    assert (row["requests"], row["key_id"]) == (3, made["id"])


def test_the_document_describes_the_three_calls_with_their_own_key_and_errors() -> None:
    document = openapi_document(Catalogue(FEATURES), "http://bivelio.test")
    public = {path: methods for path, methods in document["paths"].items() if path.startswith("/api/public/")}

    assert {(path, method) for path, methods in public.items() for method in methods} == {
        ("/api/public/v1/check", "get"),
        ("/api/public/v1/boxes/{box}/retrieve-documents", "post"),
        ("/api/public/v1/boxes/{box}/retrieve-full-documents", "post"),
    }
    for methods in public.values():
        for endpoint in methods.values():
            assert endpoint["security"] == [{"BoxKey": []}]
            assert endpoint["responses"]["401"]["description"] == "B3002"
            assert "X-RateLimit-Remaining-User" in endpoint["responses"]["200"]["headers"]
    error = document["components"]["schemas"]["PublicError"]
    assert set(error["required"]) == {"code", "category", "summary", "cause"}
    assert "B3108" in error["properties"]["code"]["enum"]
    assert document["components"]["securitySchemes"]["BoxKey"]["scheme"] == "bearer"
