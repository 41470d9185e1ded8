"""The events of the product: each with a typed payload, an example of it, and its place in the OpenAPI document."""

from typing import Any, get_args

import pytest

from bivelio_server.app import EVENTS, FEATURES, openapi_document
from bivelio_server.events.definitions import EventDefinition, EventName
from bivelio_server.kit import json
from bivelio_server.kit.operations import Catalogue


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document(Catalogue(FEATURES), "http://bivelio.test")


def test_every_promised_event_is_defined() -> None:
    assert {definition.name for definition in EVENTS} == set(get_args(EventName))


@pytest.mark.parametrize("definition", list(EVENTS), ids=lambda definition: definition.name)
def test_the_example_is_of_the_payload(definition: EventDefinition) -> None:
    example = definition.sample.model_dump()

    assert isinstance(definition.sample, definition.data)
    assert definition.data.model_validate(example) == definition.sample
    assert json.loads(json.dumps(example))


@pytest.mark.parametrize("definition", list(EVENTS), ids=lambda definition: definition.name)
def test_the_openapi_document_describes_the_message(definition: EventDefinition, document: dict[str, Any]) -> None:
    message = document["webhooks"][definition.name]["post"]["requestBody"]["content"]["application/json"]["schema"]
    reference = message["properties"]["data"]["$ref"].rpartition("/")[2]
    assert message["properties"]["event"] == {"const": definition.name}
    assert set(definition.sample.model_dump()) == set(document["components"]["schemas"][reference]["properties"])
