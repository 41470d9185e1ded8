"""Traces: spans of what the server does, joined across queues, processes and crashes by a `traceparent` (W3C).

Nothing is recorded, at next to no cost, until `start` is given a tracer: `kit/otel.py` has the one of OpenTelemetry,
whose packages are the extra `otel`. Names and attributes are ids and codes of ours, never what a caller sent.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol, TypeAlias

Kind: TypeAlias = Literal["internal", "server", "client", "consumer"]
Value: TypeAlias = str | int | float | bool


class EndsEarly(Exception):
    """Base of exceptions that leave a span though nothing has failed."""


class Span(Protocol):
    def rename(self, name: str) -> None: ...

    def note(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, reason: str) -> None:
        """`reason` is a code or the name of an exception, never its message."""


class Tracer(Protocol):
    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value]
    ) -> AbstractContextManager[Span]: ...

    def traceparent(self) -> str | None: ...

    def trace_id(self) -> str | None: ...

    def stop(self, seconds: float) -> None: ...


class _NoSpan:
    def rename(self, name: str) -> None: ...

    def note(self, attributes: Mapping[str, Value]) -> None: ...

    def fail(self, reason: str) -> None: ...


NO_SPAN: Final = _NoSpan()
_NOTHING: Final[AbstractContextManager[Span]] = nullcontext(NO_SPAN)
_NO_ATTRIBUTES: Final[Mapping[str, Value]] = {}
_tracer: Tracer | None = None


def start(tracer: Tracer) -> None:
    """Record with `tracer` from now on, in all of this process."""
    global _tracer  # noqa: PLW0603 - spans begin where nobody passes services around
    _tracer = tracer


def stop(seconds: float = 3.0) -> None:
    """Record nothing any more; what was recorded has `seconds` to leave."""
    global _tracer
    tracer, _tracer = _tracer, None
    if tracer is not None:
        tracer.stop(seconds)


def span(
    name: str,
    kind: Kind = "internal",
    *,
    parent: str | None = None,
    attributes: Mapping[str, Value] = _NO_ATTRIBUTES,
) -> AbstractContextManager[Span]:
    """The block as a span, below `parent` or else below the span around it. What it raises is noted by its name."""
    return _NOTHING if _tracer is None else _tracer.span(name, kind, parent, attributes)


def traceparent() -> str | None:
    """The present span, for whoever goes on elsewhere or later; none when nothing is recorded."""
    return None if _tracer is None else _tracer.traceparent()


def trace_id() -> str | None:
    return None if _tracer is None else _tracer.trace_id()
