"""Spans as records and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.ports.sink import SPAN_KINDS, Span, TraceInfo
from promptrails_engine.results import Trace
from promptrails_engine.testing.sink_conformance import example_trace, make_span, make_trace
from promptrails_engine.tracing import plain_payload, span_from_dict, span_to_dict

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
COUNTS = st.none() | st.integers(0, 10**9)
TIMES = st.integers(0, 2**41).map(lambda micros: micros / 1000)
SPANS = st.builds(
    Span,
    trace=st.builds(
        TraceInfo,
        trace_id=st.just("1" * 32),
        **dict.fromkeys(
            ["execution_id", "workspace_id", "agent_id", "agent_name", "agent_type", "session_id", "user_id"], NAMES
        ),
        ambient=st.none(),
    ),
    span_id=st.just("2" * 16),
    parent_span_id=st.sampled_from(["", "3" * 16]),
    name=NAMES,
    kind=st.sampled_from(SPAN_KINDS),
    started_at=TIMES,
    ended_at=st.none() | TIMES,
    status=st.sampled_from(["ok", "error"]),
    level=st.sampled_from(["debug", "default", "warning", "error"]),
    input=st.none() | st.dictionaries(NAMES, NAMES),
    output=NAMES,
    attributes=st.dictionaries(NAMES, st.integers(-5, 5) | NAMES),
    tags=st.lists(NAMES).map(tuple),
    model_name=NAMES,
    prompt_id=NAMES,
    prompt_name=NAMES,
    prompt_tokens=COUNTS,
    completion_tokens=COUNTS,
    total_tokens=COUNTS,
    cost=st.none() | st.floats(0, 100),
    completion_start_time=st.none() | TIMES,
    error_message=NAMES,
    error_type=NAMES,
    error_stack=NAMES,
)


@given(SPANS)
def test_there_and_back(span: Span) -> None:
    record = json.loads(json.dumps(span_to_dict(span)))
    again = span_from_dict(record)
    for name in ("started_at", "ended_at", "completion_start_time"):
        assert getattr(again, name) == (
            None if getattr(span, name) is None else pytest.approx(getattr(span, name), abs=1e-6)
        )
    times = {name: getattr(span, name) for name in ("started_at", "ended_at", "completion_start_time")}
    assert dataclasses.replace(again, **times) == span
    assert span_to_dict(again) == record


def test_the_fields_are_those_of_the_trace_record() -> None:
    assert set(span_to_dict(example_trace()[0])) == {field.name for field in dataclasses.fields(Trace)}


def test_a_model_call() -> None:
    record = span_to_dict(example_trace()[2])
    assert record["started_at"] == "2026-01-01T00:00:00.126456Z"
    assert record["ended_at"] == "2026-01-01T00:00:01.123456Z"
    assert record["duration_ms"] == 997
    assert record["token_usage"] == {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
    assert record["cost"] == 0.000012
    assert record["input"] == [{"role": "user", "content": "What is 6 times 7?"}]
    assert record["parent_span_id"] == "0000000000000001"
    assert record["agent_name"] == "Agent"
    assert record["service_name"] == "promptrails-engine"
    json.dumps(record, allow_nan=False)


def test_without_content() -> None:
    trace = make_trace()
    span = make_span(
        trace,
        1,
        input="canary",
        output={"a": "canary"},
        attributes={"parameters": {"q": "canary"}, "note": "canary", "model": "m", "n": 1},
        status="error",
        error_type="tool_failed",
        error_message="canary",
        error_stack="canary",
    )
    record = span_to_dict(span, content=False)
    assert "canary" not in json.dumps(record)
    assert record["attributes"] == {"model": "m", "n": 1}
    assert record["error_type"] == "tool_failed"
    assert json.dumps(span_to_dict(span)).count("canary") == 6


@pytest.mark.parametrize("field", ["input", "output", "error_message", "error_stack"])
def test_long_fields_are_cut(field: str) -> None:
    span = make_span(make_trace(), 1)
    setattr(span, field, "x" * 100_000)
    for cap in (8192, 100):
        value: Any = span_to_dict(span, cap_bytes=cap)[field]
        assert len(json.dumps(value)) < cap + 100
        if field in {"input", "output"}:
            assert value["truncated"] is True
            assert value["preview"].startswith('"xxx')
        else:
            assert value.endswith("...")


def test_the_span_is_not_changed() -> None:
    for span in example_trace():
        before = repr(span)
        record = span_to_dict(span)
        record["attributes"]["new"] = 1
        record["tags"].append("new")
        assert repr(span) == before


def test_what_a_record_must_have() -> None:
    with pytest.raises(KeyError, match="trace_id"):
        span_from_dict({"span_id": "1"})
    span = span_from_dict(
        {"trace_id": "t", "span_id": "s", "name": "n", "kind": "llm", "started_at": "2026-01-01T00:00:00Z"}
    )
    assert (span.status, span.level, span.cost, span.ended_at) == ("ok", "default", None, None)


def test_records_and_plain_payloads_agree() -> None:
    for span in example_trace():
        assert span_to_dict(span)["input"] == plain_payload(span.input)
