"""Operations: everything the platform can do, each declared once and offered through every door.

A feature declares its operations in `operations.py`:

    feature = Feature("contacts")

    @feature.operation("create", scope=Scope.write, effect=Effect.transactional, summary=Text(...))
    async def create(context: Context, data: ContactCreate) -> ContactCreated: ...

The name is `contacts.create`, the path `/v1/contacts/create`, the action `create`. From the declaration come the HTTP
endpoint, its entry in the OpenAPI document, the workflow step, the row of the permission matrix.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar, get_type_hints

from bivelio_server.kit.caller import Scope
from bivelio_server.kit.context import Context, OutgoingCall
from bivelio_server.kit.errors import (
    APIError,
    CreditsExhausted,
    IntegrationFailed,
    IntegrationRefused,
    InternalError,
)
from bivelio_server.kit.models import Input, Output
from bivelio_server.kit.origin import Door
from bivelio_server.kit.streaming import Streaming
from bivelio_server.kit.text import Text
from bivelio_server.kit.versions import VERSIONS, Versions

InT = TypeVar("InT", bound=Input)
OutT = TypeVar("OutT", bound=Output)
PreparedT = TypeVar("PreparedT", bound=Output)
OutcomeT = TypeVar("OutcomeT")


class Effect(StrEnum):
    """What an operation does to the world.

    `read` changes nothing; `transactional` changes only our database, in one transaction; `external` calls an
    outside service between two transactions; `job` starts long work and returns its id.
    """

    read = "read"
    transactional = "transactional"
    external = "external"
    job = "job"


ALL_DOORS: Final = frozenset(Door)
DIRECT_DOORS: Final = frozenset({Door.http, Door.sdk})


class Who(StrEnum):
    """Who may ask, whatever the scope: any credential; only a person who has signed in; only the owner, signed in."""

    anyone = "anyone"
    person = "person"
    owner = "owner"


@dataclass(frozen=True, slots=True)
class InOneTransaction(Generic[InT, OutT]):
    """A handler that runs in the transaction its door opens and commits."""

    handle: Callable[[Context, InT], Awaitable[OutT]]


@dataclass(frozen=True, slots=True)
class ThroughOutside(Generic[InT, PreparedT, OutcomeT, OutT]):
    """The three parts of an external operation, and what to record when the middle one fails.

    `prepare` checks and records the attempt, in a transaction. `perform` calls the outside, in none, with an
    idempotency key. `record` keeps the outcome, in a transaction. `record_failure` keeps what `perform` raised,
    in a transaction, before the error goes on to the caller.
    """

    prepare: Callable[[Context, InT], Awaitable[PreparedT]]
    perform: Callable[[OutgoingCall, PreparedT], Awaitable[OutcomeT]]
    record: Callable[[Context, PreparedT, OutcomeT], Awaitable[OutT]]
    record_failure: Callable[[Context, PreparedT, IntegrationFailed], Awaitable[None]]
    prepared: type[PreparedT]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    name: str
    action: str
    path: str
    scope: Scope
    effect: Effect
    summary: Text
    input: type[Input]
    output: type[Output]
    body: InOneTransaction[Any, Any] | ThroughOutside[Any, Any, Any, Any]
    errors: frozenset[type[APIError]] = frozenset()
    doors: frozenset[Door] = ALL_DOORS
    doors_reason: str = ""
    irreversible: bool = False
    secret_output: bool = False
    credits: int = 0
    max_body_bytes: int | None = None
    who: Who = Who.anyone
    live_only: bool = False
    stream: Streaming | None = None

    @property
    def writes(self) -> bool:
        return self.effect is not Effect.read

    @property
    def is_personal(self) -> bool:
        """Whether its reply is for who asked, and for nobody else of the organisation."""
        return self.secret_output or self.who is not Who.anyone

    @property
    def resource(self) -> str:
        """What narrow scopes name: the part of the name before the first dot."""
        return self.name.partition(".")[0]

    @property
    def tool_name(self) -> str:
        return self.name.replace(".", "_")


class Feature:
    """The operations of one feature, in the order of their declaration."""

    def __init__(self, name: str, *, doors: frozenset[Door] = ALL_DOORS, doors_reason: str = "") -> None:
        if doors != ALL_DOORS and not doors_reason:
            raise ValueError(f"{name}: say why some doors are closed")
        self.name = name
        self.operations: list[Operation] = []
        self._doors = doors
        self._doors_reason = doors_reason

    def operation(
        self,
        verb: str,
        *,
        scope: Scope,
        effect: Effect,
        summary: Text,
        path: str | None = None,
        action: str | None = None,
        errors: Iterable[type[APIError]] = (),
        irreversible: bool = False,
        secret_output: bool = False,
        credits: int = 0,  # noqa: A002 - the word of the reference
        max_body_bytes: int | None = None,
        who: Who = Who.anyone,
        live_only: bool = False,
        stream: Streaming | None = None,
        doors: frozenset[Door] | None = None,
        doors_reason: str = "",
    ) -> Callable[[Callable[[Context, InT], Awaitable[OutT]]], Callable[[Context, InT], Awaitable[OutT]]]:
        """Declare the decorated function as `<feature>.<verb>`; its annotations give the input and output models."""

        def declare(
            handle: Callable[[Context, InT], Awaitable[OutT]],
        ) -> Callable[[Context, InT], Awaitable[OutT]]:
            hints = get_type_hints(handle)
            self._add(
                verb, path, action, input=hints["data"], output=hints["return"], body=InOneTransaction(handle),
                scope=scope, effect=effect, summary=summary, errors=frozenset(errors), irreversible=irreversible,
                secret_output=secret_output, credits=credits, max_body_bytes=max_body_bytes, who=who,
                live_only=live_only, stream=stream,
                **self._doors_of(verb, doors, doors_reason),
            )  # fmt: skip
            return handle

        return declare

    def external(
        self,
        verb: str,
        *,
        scope: Scope,
        summary: Text,
        prepare: Callable[[Context, InT], Awaitable[PreparedT]],
        perform: Callable[[OutgoingCall, PreparedT], Awaitable[OutcomeT]],
        record: Callable[[Context, PreparedT, OutcomeT], Awaitable[OutT]],
        record_failure: Callable[[Context, PreparedT, IntegrationFailed], Awaitable[None]],
        path: str | None = None,
        errors: Iterable[type[APIError]] = (),
        irreversible: bool = True,
        credits: int = 0,  # noqa: A002 - the word of the reference
        stream: Streaming | None = None,
        doors: frozenset[Door] | None = None,
        doors_reason: str = "",
    ) -> None:
        """Declare an operation that calls the outside; see ThroughOutside for its parts.

        With `stream`, which names the events that `perform` tells, a `result` with the output comes last.
        """
        hints = get_type_hints(prepare)
        body = ThroughOutside(prepare, perform, record, record_failure, hints["return"])
        self._add(
            verb, path, None, input=hints["data"], output=get_type_hints(record)["return"], body=body,
            scope=scope, effect=Effect.external, summary=summary, irreversible=irreversible, credits=credits,
            stream=stream,
            errors=frozenset({*errors, IntegrationFailed, IntegrationRefused}),
            **self._doors_of(verb, doors, doors_reason),
        )  # fmt: skip

    def _doors_of(self, verb: str, doors: frozenset[Door] | None, reason: str) -> dict[str, Any]:
        """The feature's doors, unless the operation states its own, with its reason."""
        if doors is None:
            return {"doors": self._doors, "doors_reason": self._doors_reason}
        if doors != ALL_DOORS and not reason:
            raise ValueError(f"{self.name}.{verb}: say why some doors are closed")
        return {"doors": doors, "doors_reason": reason}

    def _add(self, verb: str, path: str | None, action: str | None, **declared: Any) -> None:
        if declared["credits"]:
            declared["errors"] |= {CreditsExhausted}
        self.operations.append(
            Operation(
                name=f"{self.name}.{verb}",
                action=action or verb,
                path=path or f"/v1/{self.name}/{verb}",
                **declared,
            )
        )


class Catalogue:
    """All operations, by name and by path, and the versions of their shapes. One path, one operation."""

    def __init__(self, features: Iterable[Feature], versions: Versions = VERSIONS) -> None:
        self.versions = versions
        self._by_name: dict[str, Operation] = {}
        self._by_path: dict[str, Operation] = {}
        for feature in features:
            for operation in feature.operations:
                self._add(operation)

    def _add(self, operation: Operation) -> None:
        if operation.name in self._by_name or operation.path in self._by_path:
            raise InternalError(Text(f"Operación repetida: {operation.name}", f"Repeated operation: {operation.name}"))
        self._by_name[operation.name] = operation
        self._by_path[operation.path] = operation

    def __iter__(self) -> Iterator[Operation]:
        return iter(self._by_name.values())

    def at(self, path: str) -> Operation | None:
        return self._by_path.get(path)

    def named(self, name: str) -> Operation | None:
        return self._by_name.get(name)
