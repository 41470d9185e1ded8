"""The operations that an agent may use in an execution, and using one."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from pydantic import ValidationError

from bivelio_server.agents.masking import storable
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.ai.port import Tool
from bivelio_server.kit import idempotency, json
from bivelio_server.kit.caller import Caller, Environment, Scope
from bivelio_server.kit.context import Cause, Services
from bivelio_server.kit.door import failure
from bivelio_server.kit.errors import APIError, Problem, ValidationFailed
from bivelio_server.kit.execution import Call, execute
from bivelio_server.kit.idempotency import Claim, Replayed
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.operations import Operation, Who
from bivelio_server.kit.origin import Door, Origin
from bivelio_server.kit.text import DEFAULT_LANGUAGE
from bivelio_server.kit.validation import validation_failed


@dataclass(frozen=True, slots=True)
class Granted:
    operation: Operation
    without_approval: bool

    @property
    def waits(self) -> bool:
        """Whether a person decides first: what cannot be undone, or settles how the organisation works."""
        is_grave = self.operation.irreversible or self.operation.scope is Scope.admin
        return is_grave and not self.without_approval


@dataclass(frozen=True, slots=True)
class Hand:
    """Who acts for an agent: with whose rights, in which execution, because of what."""

    services: Services
    caller: Caller
    agent_id: str
    origin: Origin
    cause: Cause

    async def do(self, operation: Operation, data: Input, key: str) -> Any:
        """The operation's output as JSON, in a transaction of its own. Once for each `key`. Raises APIError."""
        caller = replace(self.caller, actor=f"agent:{self.agent_id}", on_behalf_of=self.caller.principal)
        claim = _claim(operation, data, key) if operation.writes else None
        call = Call(operation, caller, data, self.services, self.origin, self.cause, claim)
        try:
            output = await execute(call)
        except Replayed as stored:
            return _repeated(stored)
        assert isinstance(output, Output)
        return _shown(output)


def is_usable(operation: Operation) -> bool:
    """Whether an agent may be granted it at all."""
    return (
        Door.agent in operation.doors
        and operation.who is Who.anyone
        and not operation.secret_output
        and (operation.stream is None or not operation.stream.always)
    )


def granted_to(agent: AgentDefinition, services: Services, caller: Caller) -> dict[str, Granted]:
    """By tool name: what is granted, and usable, and within what the caller may do."""
    found: dict[str, Granted] = {}
    for tool in agent.tools:
        operation = services.catalogue.named(tool.operation)
        if operation is not None and is_usable(operation) and is_within(operation, caller):
            found[operation.tool_name] = Granted(operation, tool.without_approval)
    return found


def is_within(operation: Operation, caller: Caller) -> bool:
    is_here = not operation.live_only or caller.environment is Environment.live
    return is_here and caller.may(operation.scope, operation.resource)


def described(granted: Mapping[str, Granted]) -> Iterator[Tool]:
    for name, tool in granted.items():
        operation = tool.operation
        description = f"{operation.summary.en}. {(operation.input.__doc__ or '').strip()}".strip()
        if tool.waits:
            description += " A person decides first whether this is done."
        yield Tool(name, description, operation.input.model_json_schema())


def input_of(operation: Operation, arguments: Any) -> Input:
    """What a model wrote as the operation's input, read as strictly as a request. Raises ValidationFailed."""
    try:
        return operation.input.model_validate(json.loads(json.dumps(storable(arguments))))
    except ValidationError as error:
        raise validation_failed(error, whole="arguments") from None
    except json.InvalidJSON as error:
        raise ValidationFailed(Problem("arguments", "json", error.reason)) from None


def call_key(execution_key: str, number: int) -> str:
    """The key under which the n-th call of an execution takes effect once, however often the execution is repeated."""
    return f"agent_{hashlib.sha256(f'{execution_key}:{number}'.encode()).hexdigest()[:48]}"


def refusal_of(error: APIError) -> dict[str, Any]:
    """What a model is told of it."""
    return error.render(DEFAULT_LANGUAGE)


def _claim(operation: Operation, data: Input, key: str) -> Claim:
    return Claim(
        operation,
        idempotency.require_acceptable(key),
        idempotency.digest_of(data.model_dump(mode="json")),
        render=lambda output: json.dumps({"success": True, "data": output.model_dump()}),
        render_refusal=partial(_rendered, language=DEFAULT_LANGUAGE),
    )


def _rendered(error: APIError, language: Any) -> bytes:
    return json.dumps(failure(error, language))


def _shown(output: Output) -> Any:
    return json.loads_trusted(json.dumps(output.model_dump()))


def _repeated(stored: Replayed) -> Any:
    """Raises RefusedBefore."""
    body = json.loads_trusted(stored.body)
    if stored.status >= 400:
        raise RefusedBefore(body["error"])
    return body["data"]


class RefusedBefore(APIError):
    """The same call was refused before; `error` is what was told then."""

    status = 409

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self.error = error

    def render(self, _language: Any) -> dict[str, Any]:
        return self.error


#: What a model, and the trace, are shown of a result.
MAX_RESULT: Final = 20_000


def bounded(value: Any) -> Any:
    """The value, or the beginning of its JSON where that is long."""
    written = json.dumps(value).decode()
    return value if len(written) <= MAX_RESULT else {"truncated": True, "beginning": written[:MAX_RESULT]}
