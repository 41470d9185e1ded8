"""The agents that every organisation has without having created them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bivelio_server.agents.intents import INTENTS
from bivelio_server.agents.schemas import AgentDefinition, AgentLimits, LabelView, LimitsView

_LIMITS: Final = LimitsView(**AgentLimits().model_dump())


def _agent(  # an agent of ours is its parts, no more
    slug: str,
    *,
    name: str,
    description: str,
    category: str,
    instructions: str,
    output_schema: dict[str, Any],
    labels: Sequence[LabelView] = (),
) -> AgentDefinition:
    return AgentDefinition(
        id=slug, name=name, description=description, category=category, status="active", model=None,
        instructions=instructions, output_schema=output_schema, labels=list(labels), tools=[], limits=_LIMITS,
        version=1,
    )  # fmt: skip


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": ["string", "null"], "description": description, **more}


_CLASSIFIER: Final = _agent(
    "ag_classifier_01",
    name="Clasificador de intenciones",
    description="Analiza texto entrante y clasifica la intencion del usuario",
    category="nlp",
    instructions="Classify what the writer of a message to a small company wants.",
    labels=INTENTS,
    output_schema={
        "type": "object",
        "properties": {
            "intent": {"type": "string"},
            "confidence": {"type": "number"},
            "suggested_action": {"type": ["string", "null"]},
            "extracted_entities": {
                "type": "object",
                "properties": {
                    "target_plan": _text(
                        "The plan asked for",
                        **{
                            "enum": ["starter", "pro", "enterprise", None],
                            "x-intents": ["plan_upgrade", "plan_downgrade"],
                        },
                    ),
                    "email": _text("An e-mail address", format="email"),
                    "phone": _text("A phone number"),
                    "tax_id": _text("A Spanish tax id: NIF, CIF or NIE"),
                    "iban": _text("A bank account"),
                    "amount": {"type": ["number", "null"], "description": "An amount of money"},
                    "date": _text("A date", format="date"),
                    "invoice_number": _text("The number of an invoice"),
                },
            },
        },
    },
)
_EMAIL_DRAFT: Final = _agent(
    "ag_email_draft",
    name="Redactor de emails",
    description="Genera borradores de respuesta a emails entrantes",
    category="communication",
    instructions=(
        "Write a draft of the reply to an e-mail that a small company has received, in the language of that e-mail:"
        " courteous, brief, and to the point. Promise nothing that the context does not say; where a fact is missing,"
        " leave a gap in square brackets for whoever sends it."
    ),
    output_schema={
        "type": "object",
        "properties": {
            "subject": {"type": "string", "description": "The subject of the reply"},
            "body": {"type": "string", "description": "The text of the reply, without a signature"},
        },
        "required": ["subject", "body"],
        "additionalProperties": False,
    },
)
_SUMMARY: Final = _agent(
    "ag_summary",
    name="Resumidor de textos",
    description="Resume un texto y extrae sus puntos clave",
    category="nlp",
    instructions=(
        "Summarise the text in its own language: two to four sentences, then its key points, each in one line. Say only"
        " what the text says."
    ),
    output_schema={
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "key_points": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        },
        "required": ["summary", "key_points"],
        "additionalProperties": False,
    },
)
#: By slug, in the order in which they are listed.
BUILT_IN: Final[Mapping[str, AgentDefinition]] = {agent.id: agent for agent in (_CLASSIFIER, _EMAIL_DRAFT, _SUMMARY)}
