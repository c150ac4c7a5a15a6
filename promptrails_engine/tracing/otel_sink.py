"""A sink that repeats spans through the host's OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from promptrails_engine._version import __version__
from promptrails_engine.ports.sink import Span
from promptrails_engine.require import require
from promptrails_engine.tracing.assembly import SpanTree, TraceAssembly
from promptrails_engine.tracing.otel_attributes import CLIENT_KINDS, otel_attributes, otel_name
from promptrails_engine.tracing.payload import capped_text

_NANOSECONDS = 1_000_000_000


class OTelSink:
    """Repeats each trace, when its root has arrived, as OpenTelemetry spans with the right times and parents.

    The span that is current where a run begins becomes the parent of the run's root.  Uses opentelemetry-api alone:
    what is sampled, exported and flushed, and where to, is the host's business.  The provider is never set or changed.

    Args:
        tracer_provider: The host's `TracerProvider`; the global one by default, also if the host sets it later.
        content: Whether texts of prompts, answers, tools and errors go along; otherwise names, numbers and codes do.
    """

    def __init__(self, tracer_provider: Any = None, content: bool = False) -> None:
        """Raises MissingExtraError without the package opentelemetry-api."""
        self._trace: Any = require("opentelemetry.trace", extra="otel", feature="OTelSink")
        self._context: Any = require("opentelemetry.context", extra="otel", feature="OTelSink")
        self._tracer: Any = self._trace.get_tracer("promptrails_engine", __version__, tracer_provider)
        self._content = content
        self._assembly = TraceAssembly()

    def capture(self) -> Any:
        """The caller's OpenTelemetry context."""
        return self._context.get_current()

    def export(self, spans: Sequence[Span]) -> None:
        for tree in self._assembly.add(spans):
            self._repeat(tree)

    def flush(self) -> None:
        """Traces whose root is still to come stay here; flushing the provider is the host's business."""

    def close(self) -> None:
        """Hand on what is left, without its root."""
        for tree in self._assembly.drain():
            self._repeat(tree)

    def _repeat(self, tree: SpanTree) -> None:
        """Parents begin first, since a child must name its parent's id; children end first, as they did."""
        begun: dict[str, Any] = {}
        ends: list[tuple[Any, Span]] = []
        for span in tree.walk():
            parent = begun.get(span.parent_span_id)
            context = self._ambient(span)
            if parent is not None:
                context = self._trace.set_span_in_context(parent, context)
            begun[span.span_id] = repeated = self._begin(span, context)
            ends.append((repeated, span))
        for repeated, span in reversed(ends):
            repeated.end(end_time=_nanoseconds(span.started_at if span.ended_at is None else span.ended_at))

    def _begin(self, span: Span, context: Any) -> Any:
        kinds = self._trace.SpanKind
        repeated = self._tracer.start_span(
            otel_name(span),
            context=context,
            kind=kinds.CLIENT if span.kind in CLIENT_KINDS else kinds.INTERNAL,
            attributes=otel_attributes(span, content=self._content),
            start_time=_nanoseconds(span.started_at),
        )
        if span.status == "error":
            self._record_error(repeated, span)
        return repeated

    def _record_error(self, repeated: Any, span: Span) -> None:
        message = capped_text(span.error_message) if self._content else ""
        repeated.set_status(self._trace.Status(self._trace.StatusCode.ERROR, message or span.error_type or None))
        if self._content and (message or span.error_stack):
            attributes = {"exception.type": span.error_type, "exception.message": message}
            if span.error_stack:
                attributes["exception.stacktrace"] = capped_text(span.error_stack)
            ended = span.started_at if span.ended_at is None else span.ended_at
            repeated.add_event("exception", attributes, timestamp=_nanoseconds(ended))

    def _ambient(self, span: Span) -> Any:
        """The context that `capture` saw when the run began; never that of the thread which exports."""
        ambient = span.trace.ambient
        context = ambient.get(id(self)) if _is_mapping(ambient) else None
        return self._context.Context() if context is None else context


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANOSECONDS)


def _is_mapping(value: Any) -> TypeGuard[Mapping[int, Any]]:
    return isinstance(value, Mapping)
