"""Spans repeated through a real OpenTelemetry SDK."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from promptrails_engine.errors import MissingExtraError
from promptrails_engine.ports.provider import Message, ToolCall
from promptrails_engine.ports.sink import CapturingSink, Span
from promptrails_engine.testing.sink_conformance import SinkConformance, example_trace, make_span, make_trace
from promptrails_engine.tracing import OTelSink, SinkHub


class Host:
    """An application with OpenTelemetry of its own."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.provider.shutdown()


class TestOTelSink(SinkConformance):
    def make(self) -> OTelSink:
        return OTelSink(TracerProvider(shutdown_on_exit=False), content=True)


class TestOTelSinkWithoutProvider(SinkConformance):
    def make(self) -> OTelSink:
        return OTelSink()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_id(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def own_id(span: ReadableSpan) -> int:
    assert span.context is not None
    found: int = span.context.span_id
    return found


def export(host: Host, spans: list[Span], *, content: bool = False) -> dict[str, ReadableSpan]:
    sink = OTelSink(host.provider, content=content)
    sink.export(spans)
    sink.close()
    return host.spans


# ------------------------------------------------------------------ the tree


def test_the_tree_has_its_shape_and_its_times(host: Host) -> None:
    found = export(host, example_trace())
    assert set(found) == {"invoke_agent Agent", "Prompt", "chat gpt-4o-mini", "execute_tool calculator"}
    root, llm = found["invoke_agent Agent"], found["chat gpt-4o-mini"]
    assert root.parent is None
    assert parent_id(found["Prompt"]) == own_id(root)
    assert parent_id(llm) == own_id(root)
    assert parent_id(found["execute_tool calculator"]) == own_id(llm)
    assert len({span.context.trace_id for span in found.values() if span.context}) == 1
    for span, ours in ((root, example_trace()[3]), (llm, example_trace()[2])):
        assert span.start_time == pytest.approx(ours.started_at * 1e9, abs=1000)
        assert span.end_time == pytest.approx((ours.ended_at or 0) * 1e9, abs=1000)
    assert llm.kind is SpanKind.CLIENT
    assert root.kind is SpanKind.INTERNAL
    assert llm.instrumentation_scope is not None
    assert llm.instrumentation_scope.name == "promptrails_engine"


def test_children_end_before_their_parents(host: Host) -> None:
    export(host, example_trace())
    names = [span.name for span in host.exporter.get_finished_spans()]
    assert names.index("execute_tool calculator") < names.index("chat gpt-4o-mini") < names.index("invoke_agent Agent")


def test_a_trace_in_several_batches_is_one_tree(host: Host) -> None:
    sink = OTelSink(host.provider)
    for span in example_trace():
        assert host.spans == {}
        sink.export([span])
        sink.flush()
    assert len(host.spans) == 4


def test_what_has_no_root_is_handed_on_at_close(host: Host) -> None:
    sink = OTelSink(host.provider)
    sink.export(example_trace()[:3])
    assert host.spans == {}
    sink.close()
    assert len(host.spans) == 3
    assert host.spans["Prompt"].parent is None
    assert parent_id(host.spans["execute_tool calculator"]) == own_id(host.spans["chat gpt-4o-mini"])


def test_the_hosts_span_becomes_the_parent(host: Host) -> None:
    sink = OTelSink(host.provider)
    hub = SinkHub([sink])
    tracer = host.provider.get_tracer("host")
    with tracer.start_as_current_span("request") as request:
        ambient = hub.capture()
    with tracer.start_as_current_span("later"):
        hub.publish(example_trace(make_trace(ambient=ambient)))
        hub.publish(example_trace(make_trace("9" * 32, agent_name="Alone")))
        assert hub.close()
    found = host.spans
    root = found["invoke_agent Agent"]
    assert parent_id(root) == request.get_span_context().span_id
    assert root.context is not None
    assert root.context.trace_id == request.get_span_context().trace_id
    assert found["invoke_agent Alone"].parent is None


def test_child_executions_hang_below_the_step_that_called_them(host: Host) -> None:
    inner = make_trace(agent_name="Inner", agent_id="inner")
    spans = [make_span(inner, 3, 2, kind="agent"), make_span(make_trace(), 2, 1, kind="agent_step", name="step")]
    found = export(host, [*spans, make_span(make_trace(), 1)])
    assert parent_id(found["invoke_agent Inner"]) == own_id(found["step"])
    assert attributes(found["invoke_agent Inner"])["gen_ai.agent.id"] == "inner"


def test_baggage_of_the_host_reaches_the_processors(host: Host) -> None:
    seen: list[Any] = []

    class Reading(SimpleSpanProcessor):
        def on_start(self, span: Any, parent_context: context.Context | None = None) -> None:
            seen.append(baggage.get_baggage("tenant", parent_context))

    host.provider.add_span_processor(Reading(InMemorySpanExporter()))
    sink = OTelSink(host.provider)
    token = context.attach(baggage.set_baggage("tenant", "acme"))
    try:
        captured = sink.capture()
    finally:
        context.detach(token)
    sink.export(example_trace(make_trace(ambient={id(sink): captured})))
    assert seen == ["acme"] * 4


def test_a_foreign_ambient_is_ignored(host: Host) -> None:
    for ambient in ({"other": 1}, {1: None}, "text", None):
        export(host, example_trace(make_trace(ambient=ambient)))
    assert all(span.parent is None for span in host.exporter.get_finished_spans() if "Agent" in span.name)


def test_the_sink_captures() -> None:
    assert isinstance(OTelSink(), CapturingSink)


# ------------------------------------------------------------------ the provider


def test_the_hosts_provider_is_left_alone(host: Host) -> None:
    before = trace.get_tracer_provider()
    state = {name: repr(value) for name, value in vars(host.provider).items() if name != "_tracers"}
    export(host, example_trace())
    assert trace.get_tracer_provider() is before
    assert {name: repr(value) for name, value in vars(host.provider).items() if name != "_tracers"} == state
    with host.provider.get_tracer("host").start_as_current_span("still works"):
        pass
    assert "still works" in host.spans


def test_the_global_provider_is_used_also_if_it_is_set_later(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = OTelSink()
    sink.export(example_trace(make_trace("1" * 32)))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", host.provider)
    sink.export(example_trace(make_trace("2" * 32)))
    assert {attributes(span)["promptrails.trace.id"] for span in host.spans.values()} == {"2" * 32}


def test_what_the_host_does_not_sample_is_not_exported() -> None:
    host = Host(sampler=ALWAYS_OFF)
    assert export(host, example_trace()) == {}


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        return None

    for name in [name for name in sys.modules if name.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.import_module("promptrails_engine.require"), "find_spec", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptrails-engine\[otel\]'"):
        OTelSink()


# ------------------------------------------------------------------ attributes


def test_a_model_call_in_the_words_of_the_conventions(host: Host) -> None:
    span = example_trace()[2]
    span.attributes |= {
        "finish_reason": "stop",
        "max_tokens": 100,
        "response_model": "gpt-4o-mini-x",
        "cached_tokens": 4,
    }
    found = attributes(export(host, [span, example_trace()[3]])["chat gpt-4o-mini"])
    assert found["promptrails.span.kind"] == "llm"
    assert {name: value for name, value in found.items() if name.startswith("gen_ai.")} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.response.model": "gpt-4o-mini-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": pytest.approx(0.497),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.conversation.id": "session",
    }
    assert found["promptrails.cost_usd"] == 0.000012
    assert found["promptrails.execution.id"] == "execution"


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("bedrock/anthropic.claude", "aws.bedrock", "anthropic.claude"),
        ("groq/llama-3", "groq", "llama-3"),
        ("openrouter/meta/llama", "openrouter", "meta/llama"),
        ("bare", None, "bare"),
    ],
)
def test_provider_names(host: Host, model: str, provider: str | None, name: str) -> None:
    trace_info = make_trace()
    found = export(host, [make_span(trace_info, 2, 1, kind="llm", model_name=model), make_span(trace_info, 1)])
    found_attributes = attributes(found[f"chat {name}"])
    assert found_attributes.get("gen_ai.provider.name") == provider
    assert found_attributes["gen_ai.request.model"] == name


def test_agents_tools_and_workflows(host: Host) -> None:
    info = make_trace()
    spans = [
        make_span(info, 2, 1, kind="tool", name="add", attributes={"tool_name": "add", "call_id": "c1"}),
        make_span(info, 3, 1, kind="tool", name="bare"),
        make_span(info, 4, 1, kind="workflow", name="Flow"),
        make_span(info, 5, 1, kind="memory", name="recall", tags=("a", "b")),
        make_span(info, 1, cost=None),
    ]
    found = {name: attributes(span) for name, span in export(host, spans).items()}
    assert found["execute_tool add"]["gen_ai.tool.name"] == "add"
    assert found["execute_tool add"]["gen_ai.tool.call.id"] == "c1"
    assert found["execute_tool bare"]["gen_ai.tool.name"] == "bare"
    assert found["invoke_workflow Flow"]["gen_ai.workflow.name"] == "Flow"
    assert "gen_ai.operation.name" not in found["recall"]
    assert found["recall"]["promptrails.tags"] == ("a", "b")
    agent = found["invoke_agent Agent"]
    assert (agent["gen_ai.agent.name"], agent["gen_ai.agent.id"]) == ("Agent", "agent")
    assert "promptrails.cost_usd" not in agent


def failing() -> list[Span]:
    info = make_trace()
    call = ToolCall("c1", "search", '{"q": "canary"}')
    messages = [
        Message("user", "canary"),
        Message("assistant", "", (call,)),
        Message("tool", "canary", tool_call_id="c1"),
    ]
    return [
        make_span(
            info, 2, 1, name="t", input={"q": "canary"}, output="canary", attributes={"parameters": {"q": "canary"}}
        ),
        make_span(
            info,
            3,
            1,
            kind="llm",
            model_name="m",
            input=messages,
            output={"content": "canary", "finish_reason": "stop", "tool_calls": [{"id": "c2", "name": "search"}]},
            status="error",
            error_type="content_filtered",
            error_message="canary",
            error_stack="canary",
        ),
        make_span(info, 1, input="canary", output={"content": "canary"}, status="error"),
    ]


def test_no_content_by_default(host: Host) -> None:
    found = export(host, failing())
    assert len(found) == 3
    for span in host.exporter.get_finished_spans():
        assert "canary" not in span.to_json()
    failed = found["chat m"]
    assert attributes(failed)["error.type"] == "content_filtered"
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.status.description == "content_filtered"
    assert attributes(found["invoke_agent Agent"])["error.type"] == "_OTHER"
    assert found["execute_tool t"].status.status_code is StatusCode.UNSET


def test_content_if_asked(host: Host) -> None:
    found = export(host, failing(), content=True)
    llm = attributes(found["chat m"])
    assert json.loads(llm["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "canary"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "search", "arguments": '{"q": "canary"}'}],
        },
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "canary"}]},
    ]
    assert json.loads(llm["gen_ai.output.messages"]) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "canary"}, {"type": "tool_call", "id": "c2", "name": "search"}],
            "finish_reason": "stop",
        }
    ]
    (event,) = found["chat m"].events
    assert event.name == "exception"
    assert dict(event.attributes or {})["exception.stacktrace"] == "canary"
    assert found["chat m"].status.description == "canary"
    tool = attributes(found["execute_tool t"])
    assert json.loads(tool["gen_ai.tool.call.arguments"]) == {"q": "canary"}
    assert json.loads(tool["gen_ai.tool.call.result"]) == "canary"
    assert json.loads(attributes(found["invoke_agent Agent"])["promptrails.input"]) == "canary"


def test_large_payloads_and_numbers_are_cut(host: Host) -> None:
    span = make_span(make_trace(), 1, input="x" * 10**6, attributes={"big": 10**5000, "n": 2**70, "text": "y" * 10**6})
    found = attributes(export(host, [span], content=True)["invoke_agent Agent"])
    assert json.loads(found["promptrails.input"])["truncated"] is True
    assert all(len(value) < 20_000 for value in found.values() if isinstance(value, str))
    assert found["promptrails.n"] == str(2**70)


def test_texts_can_be_written_to_the_wire(host: Host) -> None:
    odd = "\ud800\x00"
    span = make_span(
        make_trace(agent_name=odd), 1, name=odd, tags=(odd,), attributes={odd: odd}, error_type=odd, status="error"
    )
    (found,) = export(host, [replace(span, input=odd)], content=True).values()
    found.to_json().encode()
    found.name.encode()
    assert "\x00" not in found.name
