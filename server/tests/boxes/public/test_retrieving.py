"""The three calls of the public API, in the shapes that its clients read."""

import pytest

from bivelio_server.boxes.public import endpoint
from bivelio_server.boxes.retrieval.searching import Question
from tests.boxes.public.arranging import BASE, Scripted, asker, error_of, make_box, outcome
from tests.boxes.stocking import a_box
from tests.world import Organization

pytestmark = pytest.mark.anyio


async def test_check_says_that_the_key_works(acme: Organization) -> None:
    reply = await asker(acme).check()

    assert reply.status_code == 200
    assert reply.json() == {"success": True, "data": {"message": "The API key works."}}


async def test_chunks_are_ranked_with_file_pages_and_offsets(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    scripted.passages[box] = ["Vence en mayo.", "Se renueva."]

    reply = await asker(acme).retrieve(box, "¿Cuándo vence?")

    assert reply.status_code == 200, reply.text
    data = reply.json()["data"]
    assert data["usage"] == {"intelligence_units_consumed": 1}
    [answer] = data["documents"]
    assert answer["query"] == "¿Cuándo vence?"
    assert answer["documents"][0] == {
        "text": "Vence en mayo.", "score": 1.0, "fileId": f"file_{box[4:]}", "fileName": "Contrato.pdf",
        "pageFrom": 1, "pageTo": 2, "offsetFrom": 0, "offsetTo": 14,
    }  # fmt: skip
    assert [chunk["score"] for chunk in answer["documents"]] == [1.0, 0.9]


async def test_what_the_reference_does_not_have_is_passed_on(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)

    await asker(acme).retrieve(box, "q", sources=["file_2", "file_1", "file_2"], top_k=3, min_score=0.25, neighbours=1)
    await asker(acme).retrieve(box, "q", sources=None, min_score=1)

    assert scripted.asked == [Question("q", ["file_2", "file_1"], 3, 0.25, 1), Question("q", None, 10, 1.0, 0)]


async def test_full_documents_come_with_their_pages_and_what_is_missing(acme: Organization, scripted: Scripted) -> None:
    box = make_box(acme)
    own = f"file_{box[4:]}"
    scripted.passages[box] = ["Página uno", "Página dos"]

    reply = await asker(acme).read(box, "file_unknown", own)

    assert reply.status_code == 200, reply.text
    assert reply.json()["data"] == {
        "documents": [{"fileId": own, "fileName": "Contrato.pdf", "pages": ["Página uno", "Página dos"]}],
        "missing": ["file_unknown"],
        "usage": {"intelligence_units_consumed": 0, "documents_retrieved": 1, "total_pages": 2},
    }


async def test_too_much_text_for_one_reply_is_refused(acme: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    box, other = a_box(acme), a_box(acme)
    files = [box.add(f"{n}.txt", "x" * 400) for n in range(3)]
    other.add("other.txt", "x" * 400)
    monkeypatch.setattr(endpoint, "MOST_TEXT_BYTES", 1000)
    key = asker(acme)

    assert (await key.read(box.id, *files[:2])).json()["data"]["usage"]["documents_retrieved"] == 2
    refused = await key.read(box.id, *files)

    assert outcome(refused) == (400, "B1004")
    assert "'sources' hold 1200 bytes" in error_of(refused)["cause"]


async def test_a_path_may_be_looked_at_before_it_is_used(acme: Organization) -> None:
    key = asker(acme)

    head = await key.http.head(f"{BASE}/check", headers=key.headers)
    options = await key.http.options(f"{BASE}/boxes/box_1/retrieve-documents", headers=key.headers)

    assert head.status_code == 200
    assert (options.status_code, options.headers["allow"]) == (204, "POST, OPTIONS")
