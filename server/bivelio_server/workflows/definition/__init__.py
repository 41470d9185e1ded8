"""What a workflow is: a trigger and a tree of steps.

    {"id": "contact", "uses": "contacts.create", "with": {"name": "{{ input.client_name }}"}}
    {"id": "pause", "wait": {"seconds": 3600}}
    {"id": "vip", "if": "{{ input.plan == 'pro' }}", "then": [...], "else": [...]}
    {"id": "greeting", "set": {"text": "Hola {{ input.client_name }}"}}

A string may hold expressions over `input`, `steps.<id>.output`, `run` and `now`.
"""

from bivelio_server.workflows.definition.http_request import HttpRequest
from bivelio_server.workflows.definition.parts import MAX_LIST, MAX_WAIT_SECONDS, Part, Seconds, StepId
from bivelio_server.workflows.definition.steps import (
    MAX_TURNS,
    Approval,
    ApprovalStep,
    Case,
    Common,
    ForEachStep,
    HttpRequestStep,
    IfStep,
    OperationStep,
    ParallelStep,
    Retry,
    RunWorkflowStep,
    SetStep,
    SomeSteps,
    Step,
    Steps,
    StopStep,
    SwitchStep,
    WaitForEventStep,
    WaitStep,
    WhileStep,
)
from bivelio_server.workflows.definition.tree import Branch, Definition, branches, kind_of, walk, walk_steps
from bivelio_server.workflows.definition.triggers import (
    TRIGGER_KINDS,
    CronTrigger,
    EventTrigger,
    ManualTrigger,
    Trigger,
    WebhookTrigger,
)

__all__ = [
    "MAX_LIST",
    "MAX_TURNS",
    "MAX_WAIT_SECONDS",
    "TRIGGER_KINDS",
    "Approval",
    "ApprovalStep",
    "Branch",
    "Case",
    "Common",
    "CronTrigger",
    "Definition",
    "EventTrigger",
    "ForEachStep",
    "HttpRequest",
    "HttpRequestStep",
    "IfStep",
    "ManualTrigger",
    "OperationStep",
    "ParallelStep",
    "Part",
    "Retry",
    "RunWorkflowStep",
    "Seconds",
    "SetStep",
    "SomeSteps",
    "Step",
    "StepId",
    "Steps",
    "StopStep",
    "SwitchStep",
    "Trigger",
    "WaitForEventStep",
    "WaitStep",
    "WebhookTrigger",
    "WhileStep",
    "branches",
    "kind_of",
    "walk",
    "walk_steps",
]
