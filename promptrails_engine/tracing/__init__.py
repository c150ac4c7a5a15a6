"""Spans on their way out: the hub, the sinks and the record form of a span.  Loaded at first use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.tracing.console_sink import ConsoleSink as ConsoleSink
    from promptrails_engine.tracing.hub import SinkHub as SinkHub
    from promptrails_engine.tracing.hub import SinkStats as SinkStats
    from promptrails_engine.tracing.jsonl_sink import JsonlSink as JsonlSink
    from promptrails_engine.tracing.memory_sink import MemorySink as MemorySink
    from promptrails_engine.tracing.otel_sink import OTelSink as OTelSink
    from promptrails_engine.tracing.payload import plain_payload as plain_payload
    from promptrails_engine.tracing.records import span_from_dict as span_from_dict
    from promptrails_engine.tracing.records import span_to_dict as span_to_dict

_HOMES = {
    "ConsoleSink": "console_sink",
    "JsonlSink": "jsonl_sink",
    "MemorySink": "memory_sink",
    "OTelSink": "otel_sink",
    "SinkHub": "hub",
    "SinkStats": "hub",
    "plain_payload": "payload",
    "span_from_dict": "records",
    "span_to_dict": "records",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
