"""Ready workflows. Each is offered where all the operations that it needs are there."""

from collections.abc import Iterator
from typing import Final

from bivelio_server.kit.operations import Catalogue
from bivelio_server.workflows.templates.chase_invoice import CHASE_INVOICE
from bivelio_server.workflows.templates.template import Template
from bivelio_server.workflows.templates.triage_document import TRIAGE_DOCUMENT
from bivelio_server.workflows.templates.welcome_client import WELCOME_CLIENT

TEMPLATES: Final[tuple[Template, ...]] = (WELCOME_CLIENT, CHASE_INVOICE, TRIAGE_DOCUMENT)


def offered(catalogue: Catalogue) -> Iterator[Template]:
    return (template for template in TEMPLATES if template.is_complete(catalogue))


__all__ = ["TEMPLATES", "Template", "offered"]
