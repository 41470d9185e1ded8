"""A worker of an earlier version, as far as tests need one: it knows neither `set` nor `contacts.update`."""

import sys
from collections.abc import Mapping
from typing import Any

from bivelio_server import app
from bivelio_server.cli import main
from bivelio_server.contacts import operations as contacts
from bivelio_server.durable import dispatcher
from bivelio_server.kit.operations import Feature
from bivelio_server.workflows import versions
from bivelio_server.workflows.definition import Definition


class OldDefinition:
    @staticmethod
    def model_validate(stored: Mapping[str, Any]) -> Definition:
        knows_all = not any("set" in step for step in stored["steps"])
        return Definition.model_validate(stored if knows_all else {})


def without_updates(feature: Feature) -> Feature:
    if feature is not contacts.feature:
        return feature
    old = Feature(feature.name)
    old.operations = [operation for operation in feature.operations if operation.name != "contacts.update"]
    return old


if __name__ == "__main__":
    versions.Definition = OldDefinition  # type: ignore[assignment, misc] # of old
    app.FEATURES = tuple(without_updates(feature) for feature in app.FEATURES)  # type: ignore[misc] # of old
    dispatcher.UNKNOWN_TASK_SECONDS = 0.2  # type: ignore[misc] # tests do not wait
    main(sys.argv[1:])
