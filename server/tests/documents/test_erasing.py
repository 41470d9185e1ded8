"""A person who is erased is erased from what is kept of documents, too."""

from dataclasses import replace

import pytest

from tests.documents.arranging import CONTRACT, an_extraction, document, uploaded
from tests.documents.conftest import Scripts
from tests.jobs.arranging import done
from tests.world import Organization

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("worker")]


async def test_a_person_goes_from_names_and_extractions(acme: Organization, scripts: Scripts) -> None:
    contact = await acme.live.call("/v1/contacts/create", {"name": "Ana Peña", "email": "ana.pena@ejemplo.com"})
    scripts.extraction = an_extraction(recipient={"name": "ana.pena@ejemplo.com"}, total=1210)
    scripts.classification = replace(CONTRACT, summary="ana.pena@ejemplo.com")
    made = await uploaded(acme.live, filename="ana.pena@ejemplo.com.pdf", folder="ana.pena@ejemplo.com")
    await acme.live.call("/v1/documents/classify", {"document_id": made["document_id"]})
    extraction = await acme.live.call("/v1/documents/extract", {"document_id": made["document_id"]})

    await done(acme.live, "/v1/contacts/erase", {"id": contact["id"]})

    found = await document(acme.live, made)
    kept = await acme.live.call("/v1/documents/get_extraction", {"extraction_id": extraction["extraction_id"]})
    assert "ana.pena" not in f"{found} {kept}"
    assert (found["classification"], kept["extracted"]["total"]) == (None, 1210)
    assert [field["path"] for field in kept["fields"]] == ["total"]
