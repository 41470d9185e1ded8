"""OpenTelemetry behind `kit/tracing.py`. Needs the extra `otel`, so nothing imports this at the start."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    SpanKind,
    Status,
    StatusCode,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from bivelio_server.kit.logging import masked
from bivelio_server.kit.tracing import EndsEarly, Kind, Value

#: A collector that is away is tried for so long; what cannot be sent is dropped.
_EXPORT_SECONDS: Final = 3.0
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class OpenTelemetry:
    """Spans go to `processor`. Sampling, service name and the like are the SDK's `OTEL_…` variables."""

    def __init__(self, processor: SpanProcessor, version: str) -> None:
        ours = Resource({"service.name": "bivelio", "service.version": version})
        self._provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("bivelio", version)

    @contextmanager
    def span(
        self, name: str, kind: Kind, parent: str | None, attributes: Mapping[str, Value]
    ) -> Iterator["_RecordedSpan"]:
        above = None if parent is None else _PROPAGATOR.extract({"traceparent": parent})
        with self._tracer.start_as_current_span(
            name, above, _KINDS[kind], record_exception=False, set_status_on_exception=False
        ) as span:
            recorded = _RecordedSpan(span)
            recorded.note(attributes)
            try:
                yield recorded
            except Exception as error:
                recorded.raised(error)
                raise

    def traceparent(self) -> str | None:
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent")

    def trace_id(self) -> str | None:
        present = get_current_span()
        return None if present is INVALID_SPAN else format_trace_id(present.get_span_context().trace_id)

    def stop(self, seconds: float) -> None:
        """The exporter may hang on a collector that does: it is not waited for beyond `seconds`."""
        leaving = threading.Thread(target=self._provider.shutdown, name="traces-stop", daemon=True)
        leaving.start()
        leaving.join(seconds)


def exporting_to(endpoint: str, version: str) -> OpenTelemetry:
    """A tracer that sends to a collector (OTLP over HTTP), from a thread of its own."""
    return OpenTelemetry(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_EXPORT_SECONDS)), version)


class _RecordedSpan:
    def __init__(self, span: Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(masked(name))

    def note(self, attributes: Mapping[str, Value]) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(name, masked(value) if isinstance(value, str) else value)

    def fail(self, reason: str) -> None:
        self.note({"error.type": reason})
        self._span.set_status(Status(StatusCode.ERROR))

    def raised(self, error: Exception) -> None:
        """A refusal of what the caller asked for is no failure of ours. Messages may hold what a caller sent."""
        if isinstance(error, EndsEarly):
            return
        reason = str(getattr(error, "code", type(error).__name__))
        if getattr(error, "status", 500) >= 500:
            self.fail(reason)
        else:
            self.note({"error.type": reason})
