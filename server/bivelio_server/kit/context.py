"""What an operation is given: the caller, the open transaction and the services of the process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from bivelio_server.kit.caller import Caller, Session
from bivelio_server.kit.changes import Change
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.credits import CreditLedger
from bivelio_server.kit.db import Database, Transaction
from bivelio_server.kit.http import OutgoingHttp
from bivelio_server.kit.journal import Journal
from bivelio_server.kit.models import Output
from bivelio_server.kit.origin import Origin
from bivelio_server.kit.providers import AdapterT, Port, Providers
from bivelio_server.kit.secrets import Cipher
from bivelio_server.kit.storage import Storage
from bivelio_server.kit.streaming import Events, StreamEvent, Streams, Tell
from bivelio_server.kit.text import Text
from bivelio_server.kit.wakeups import Wakeups
from bivelio_server.kit.watches import Watches
from bivelio_server.settings import Settings

if TYPE_CHECKING:
    from bivelio_server.boxes.retrieval.cache import BoxIndexes
    from bivelio_server.kit.operations import Catalogue
    from bivelio_server.reading.port import Reader


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows from an event for the subscribers of a kind.

    `react` is called in the transaction of the event, with its row and their ids; with none of these when it is only to
    know that there are `some`, however many: then it costs the same for one and for a thousand.
    """

    react: Callable[["Context", Any, Sequence[str]], Awaitable[None]]
    some: bool = False


class EventDescription(Protocol):
    """An event of the product: the model of its `data`, and an example of it."""

    @property
    def name(self) -> str: ...
    @property
    def summary(self) -> Text: ...
    @property
    def data(self) -> type[Output]: ...
    @property
    def sample(self) -> Output: ...


class TokenIssuer(Protocol):
    """What signs access tokens: `accounts.tokens.AccessTokens`."""

    def issue(self, session: Session, now: datetime) -> str: ...


@dataclass(frozen=True, slots=True)
class Services:
    """What one process shares between all requests and steps; composed in `app.py`.

    `events` holds every event of the product, by name.
    """

    settings: Settings
    database: Database
    http: OutgoingHttp
    providers: Providers
    cipher: Cipher
    tokens: TokenIssuer
    clock: Clock
    wakeups: Wakeups
    catalogue: "Catalogue"
    reactions: Mapping[str, Reaction]
    events: Mapping[str, EventDescription]
    journal: Journal
    credits: CreditLedger
    storage: Storage
    reader: "Reader"
    streams: Streams
    watches: Watches
    box_indexes: "BoxIndexes"


@dataclass(frozen=True, slots=True)
class Cause:
    """What made this happen: `run:<instance id>` for a workflow step, and how many causes lie behind it."""

    origin: str | None = None
    depth: int = 0


@dataclass(slots=True)
class Context:
    """One operation in one transaction. The door that made it commits; an operation never does."""

    caller: Caller
    session: Transaction
    services: Services
    origin: Origin
    cause: Cause = Cause()
    topics: set[str] = field(default_factory=set)
    later: Callable[[], Awaitable[Any]] | None = None
    stream: Events | None = None
    #: Whether an external operation was asked to tell of its call while it goes on.
    streams: bool = False
    #: What the operation will be charged: what it declares, unless `charge` was told less.
    credits: int = 0

    @property
    def now(self) -> datetime:
        return self.services.clock.now()

    def reply_after_commit(self, reply: Callable[[], Awaitable[Any]]) -> None:
        """Let the door answer with what `reply` returns, once this transaction is committed and its locks are gone."""
        self.later = reply

    def stream_after_commit(self, events: Events) -> None:
        """Let the door answer with these events, once this transaction is committed and its locks are gone."""
        self.stream = events

    def stream_call(self) -> None:
        """For `prepare` of an external operation that declares `stream`: let the door answer with what its call tells
        meanwhile (`OutgoingCall.tell`), then with its output. A door that answers only once takes no notice."""
        self.streams = True

    def charge(self, amount: int) -> None:
        """Charge fewer credits than the operation declares, or none. An output tells them as `context.credits`."""
        if not 0 <= amount <= self.credits:
            raise ValueError(f"{amount} credits are not within the {self.credits} declared")
        self.credits = amount

    def changed(
        self, resource_type: str, resource_id: str, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        """Tell the audit log of a change that no mapped row shows (a statement over many rows)."""
        self.session.note(Change(resource_type, resource_id, before, after))

    def wake(self, topic: str) -> None:
        """Wake the workers that wait for `topic`, once this transaction is committed."""
        self.topics.add(topic)


def to_nobody(_event: StreamEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """What the middle part of an external operation is given: the ways out, and the idempotency key."""

    services: Services
    caller: Caller
    idempotency_key: str
    #: Tells who follows the call of something on the way; goes nowhere where nobody does.
    tell: Tell = to_nobody

    @property
    def http(self) -> OutgoingHttp:
        """The guarded door to wherever a user says."""
        return self.services.http

    @property
    def cipher(self) -> Cipher:
        return self.services.cipher

    @property
    def clock(self) -> Clock:
        return self.services.clock

    def provider(self, port: Port[AdapterT]) -> AdapterT | None:
        """What does it for the caller, simulated in the sandbox; None where nothing is set up."""
        return self.services.providers.of(port, self.services, self.caller)
