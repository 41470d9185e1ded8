"""What was traced, kept in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bivelio_server.kit import tracing
from bivelio_server.kit.otel import OpenTelemetry


class Spans:
    """The spans that have ended, in the order of their ends."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()

    def all(self) -> tuple[ReadableSpan, ...]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.all() if span.name == name]

    def only(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def parent_of(self, span: ReadableSpan) -> ReadableSpan | None:
        """None for a root, and for one whose parent is somebody else's."""
        above = span.parent
        if above is None:
            return None
        return next((other for other in self.all() if context_of(other).span_id == above.span_id), None)

    def path(self, span: ReadableSpan) -> list[str]:
        """Its name and those above it, the root first."""
        above = self.parent_of(span)
        return [*([] if above is None else self.path(above)), span.name]

    def text(self) -> str:
        return "\n".join(span.to_json() for span in self.all())


@contextmanager
def recording() -> Iterator[Spans]:
    """All spans of this process, until the end of the block."""
    spans = Spans()
    tracing.start(OpenTelemetry(SimpleSpanProcessor(spans.exporter), "test"))
    try:
        yield spans
    finally:
        tracing.stop()


def context_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context
