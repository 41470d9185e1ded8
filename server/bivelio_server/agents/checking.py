"""What an agent's definition may not be."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from bivelio_server.agents.classification import UNKNOWN
from bivelio_server.agents.schemas import AgentDefinition
from bivelio_server.agents.tools import is_usable
from bivelio_server.ai.naming import EMBEDDED, is_model_name, provider_elsewhere
from bivelio_server.ai.port import LANGUAGE
from bivelio_server.kit import json
from bivelio_server.kit.context import Context
from bivelio_server.kit.door import insufficient_scope
from bivelio_server.kit.errors import Impossible, Problem, ValidationFailed
from bivelio_server.kit.json_schema import schema_problems
from bivelio_server.kit.text import Text


def check(agent: AgentDefinition, context: Context) -> None:
    """Raises ValidationFailed, Impossible; InsufficientScope where it is granted what its maker may not do."""
    malformed = [] if agent.output_schema is None else schema_problems(agent.output_schema, "output_schema")
    malformed += _unknown_tools(agent, context)
    if agent.model is not None and not is_model_name(agent.model):
        malformed.append(Problem("model", "pattern", _NO_MODEL_NAME))
    if malformed:
        raise ValidationFailed(malformed)
    impossible = [*_impossible(agent), *_impossible_model(agent, context)]
    if impossible:
        raise Impossible(impossible)
    for tool in agent.tools:
        operation = context.services.catalogue.named(tool.operation)
        if operation is not None and not context.caller.may(operation.scope, operation.resource):
            raise insufficient_scope(operation)


def _unknown_tools(agent: AgentDefinition, context: Context) -> Iterator[Problem]:
    for number, tool in enumerate(agent.tools):
        operation = context.services.catalogue.named(tool.operation)
        if operation is None or not is_usable(operation):
            field = f"tools[{number}].operation"
            yield Problem(field, "operation", _NO_TOOL.format(field=field, name=tool.operation))


def _impossible(agent: AgentDefinition) -> Iterator[Problem]:
    if len(json.dumps(agent.model_dump())) > MAX_BYTES:
        yield Problem("labels", "max_length", _TOO_LONG)
    if not agent.labels and not agent.instructions.strip():
        yield Problem("instructions", "required", _NOTHING_TO_DO)
    if agent.labels and agent.tools:
        yield Problem("tools", "excluded", _NO_TOOLS_WITH_LABELS)
    if len(agent.labels) == 1:
        yield Problem("labels", "min_items", _ONE_LABEL)
    names = Counter(label.name for label in agent.labels)
    for number, label in enumerate(agent.labels):
        field = f"labels[{number}]"
        if label.name == UNKNOWN or names[label.name] > 1:
            yield Problem(f"{field}.name", "unique", _NAME_TAKEN.format(field=f"{field}.name", name=label.name))
        if not label.description.strip() and not label.exemplars:
            yield Problem(f"{field}.exemplars", "required", _NO_EXEMPLARS.format(field=field))
    if len({tool.operation for tool in agent.tools}) < len(agent.tools):
        yield Problem("tools", "unique", _TWICE)


def _impossible_model(agent: AgentDefinition, context: Context) -> Iterator[Problem]:
    """Only what is known here: whether the provider has the model, it says when it is asked."""
    if agent.model is None:
        return
    ai = context.services.providers.of(LANGUAGE, context.services, context.caller)
    engine = EMBEDDED if ai is None else ai.engine
    elsewhere = provider_elsewhere(agent.model, engine)
    if elsewhere is not None:
        yield Problem("model", "provider", _PROVIDER_ELSEWHERE.format(provider=elsewhere, engine=engine))
    if agent.model == EMBEDDED and not agent.labels:
        yield Problem("model", "labels", _EMBEDDED_WRITES_NOTHING)


#: Of a whole definition: it goes along with every execution.
MAX_BYTES: Final = 128 * 1024
_TOO_LONG: Final = Text(
    f"La definición del agente ocupa más de {MAX_BYTES} bytes; acorta 'labels'.",
    f"The agent's definition takes more than {MAX_BYTES} bytes; shorten 'labels'.",
)
_NO_TOOL: Final = Text(
    "'{field}': {name} no es una operación que un agente pueda usar.",
    "'{field}': {name} is no operation that an agent can use.",
)
_NOTHING_TO_DO: Final = Text(
    "Un agente necesita 'instructions' o 'labels'.", "An agent needs 'instructions' or 'labels'."
)
_NO_TOOLS_WITH_LABELS: Final = Text(
    "Un agente con 'labels' clasifica: no usa 'tools'.", "An agent with 'labels' classifies: it uses no 'tools'."
)
_ONE_LABEL: Final = Text("El campo 'labels' necesita al menos dos.", "The field 'labels' needs two at least.")
_NAME_TAKEN: Final = Text(
    "El campo '{field}': el nombre {name} está repetido o reservado.",
    "The field '{field}': the name {name} is repeated or reserved.",
)
_NO_EXEMPLARS: Final = Text(
    "La etiqueta '{field}' necesita una descripción o algún ejemplo.",
    "The label '{field}' needs a description or an exemplar.",
)
_NO_MODEL_NAME: Final = Text(
    "El campo 'model' no es el nombre de un modelo: letras, cifras y . _ - : / @ +",
    "The field 'model' is no name of a model: letters, digits and . _ - : / @ +",
)
_PROVIDER_ELSEWHERE: Final = Text(
    "El campo 'model' nombra el proveedor {provider}, pero el configurado es {engine}.",
    "The field 'model' names the provider {provider}, but {engine} is the one configured.",
)
_EMBEDDED_WRITES_NOTHING: Final = Text(
    "El campo 'model': embedded clasifica por 'labels', no sigue instrucciones.",
    "The field 'model': embedded classifies by 'labels', it follows no instructions.",
)
_TWICE: Final = Text("El campo 'tools' repite una operación.", "The field 'tools' names an operation twice.")
