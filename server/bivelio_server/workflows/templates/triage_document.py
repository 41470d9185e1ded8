"""Triage an incoming document: find out what it is, read an invoice's data, ask where it is not sure."""

from decimal import Decimal
from typing import Final

from pydantic import Field

from bivelio_server.kit.models import Input
from bivelio_server.kit.text import Text
from bivelio_server.workflows.templates.template import Json, Template, Terms

_CATEGORIES: Final = ["invoice", "contract", "deed", "receipt", "report", "other"]
_FIELDS: Final = ["invoice_number", "date", "total", "line_items", "issuer", "recipient"]


class TriageParameters(Input):
    sure_percent: int = Field(80, ge=1, le=100)
    days_to_answer: int = Field(3, ge=1, le=30)


def _build(terms: Terms) -> Json:
    return {
        "trigger": {"type": "event", "event": "document.processed"},
        "concurrency": "many",
        "steps": [
            {
                "id": "kind",
                "name": terms.say("Ver qué documento es", "See what document it is"),
                "uses": "documents.classify",
                "with": {"document_id": "{{ input.data.document_id }}", "categories": _CATEGORIES},
            },
            {
                "id": "by_kind",
                "name": terms.say("Según lo que sea", "By what it is"),
                "switch": "{{ steps.kind.output.classification }}",
                "cases": [{"is": ["invoice", "receipt"], "steps": [_data(terms)]}],
                "default": [],
            },
            {
                "id": "sure",
                "name": terms.say("¿Es seguro?", "Is it sure?"),
                "if": _sureness(terms.parameters.sure_percent),
                "then": [],
                "else": [_question(terms)],
            },
        ],
        "output": {
            "document_id": "{{ input.data.document_id }}",
            "kind": "{{ steps.kind.output.classification }}",
            "data": "{{ has(steps.data) ? steps.data.output.extracted : null }}",
            "approved": "{{ has(steps.right) ? steps.right.output.decision == 'approved' : true }}",
        },
    }


def _sureness(percent: int) -> str:
    least = Decimal(percent) / 100
    data = f"(!has(steps.data) || steps.data.output.confidence >= {least})"
    return f"{{{{ steps.kind.output.confidence >= {least} && {data} }}}}"


def _data(terms: Terms) -> Json:
    return {
        "id": "data",
        "name": terms.say("Leer sus datos", "Read its data"),
        "uses": "documents.extract",
        "with": {"document_id": "{{ input.data.document_id }}", "document_type": "invoice", "fields": _FIELDS},
    }


def _question(terms: Terms) -> Json:
    title = terms.say(
        "{{ input.data.filename }}: ¿es «{{ steps.kind.output.classification }}» y están bien sus datos?",
        "{{ input.data.filename }}: is it “{{ steps.kind.output.classification }}”, and is its data right?",
    )
    return {
        "id": "right",
        "name": terms.say("Preguntar", "Ask"),
        "approval": {
            "title": title,
            "approvers": {"roles": ["owner", "admin", "editor"]},
            "deadline_seconds": terms.parameters.days_to_answer * 24 * 3600,
            "default": "reject",
        },
    }


TRIAGE_DOCUMENT: Final = Template(
    id="triage_document",
    name=Text("Clasificar un documento que llega", "Triage an incoming document"),
    description=Text(
        "Ve qué es cada documento que llega, lee los datos de facturas y recibos, y pregunta cuando no está seguro.",
        "Sees what each incoming document is, reads the data of invoices and receipts, and asks when it is not sure.",
    ),
    parameters=TriageParameters,
    labels={
        "sure_percent": Text("Por debajo de qué seguridad se pregunta (%)", "Below which confidence to ask (%)"),
        "days_to_answer": Text("Cuántos días se espera la respuesta", "How many days to wait for the answer"),
    },
    build=_build,
)
