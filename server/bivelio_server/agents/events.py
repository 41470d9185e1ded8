"""The event of agents."""

from datetime import UTC, datetime
from typing import Final

from bivelio_server.agents.execution_schemas import AgentInvocation, TokenUsage
from bivelio_server.events.definitions import EventDefinition
from bivelio_server.kit.text import Text

_SAMPLE: Final = AgentInvocation(
    execution_id="age_r4s5t6u7",
    agent_id="ag_classifier_01",
    agent_name="Clasificador de intenciones",
    status="completed",
    output={
        "intent": "plan_upgrade",
        "confidence": 0.94,
        "suggested_action": "route_to_sales",
        "extracted_entities": {"target_plan": "enterprise", "client_id": "ct_abc123"},
    },
    tokens_used=342,
    credits_consumed=1,
    duration_ms=1850,
    completed_at=datetime(2026, 4, 7, 12, 5, tzinfo=UTC),
    engine="gemini",
    model="gemini-2.5-flash",
    usage=TokenUsage(prompt=300, output=42, cached=0, thought=0),
    approvals=[],
)
EXECUTED: Final = EventDefinition(
    "agent.executed",
    AgentInvocation,
    Text("Un agente ha completado una ejecución", "An agent has completed an execution"),
    _SAMPLE,
)
EVENTS: Final = (EXECUTED,)
